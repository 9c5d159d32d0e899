"""One text per chart that explains every symbol in it, in plain words."""

from __future__ import annotations

_ZOOM = "Drag to pan, Ctrl + wheel to zoom, double-click to see all."
_ZOOM_BOTH = "Drag to pan, Ctrl + wheel to zoom along, Alt + wheel to zoom upright, double-click to see all."
_OVERRIDE = "a yellow diamond is an override (a decision answered otherwise than the agent proposed)"

CAPTIONS: dict[str, str] = {
    "loss": (
        "Grey line: training loss of each step's batch, before the update. Green points: validation loss, with bars of"
        " one standard error over its windows. Dashed line: the loss of guessing from token frequencies alone, without"
        f" context. Each tick at the bottom is a decision; {_OVERRIDE}. {_ZOOM_BOTH}"
    ),
    "perplexity": (
        "The loss as perplexity (its exponential: among how many equally likely tokens the model is left guessing), on"
        " a logarithmic axis. Grey line: each training step. Green points: validation, with bars of one standard error."
        f" Dashed line: token frequencies alone. Each tick at the bottom is a decision; {_OVERRIDE}. {_ZOOM_BOTH}"
    ),
    "reward": (
        "One mark per decision: what the agent was told after its steps. Blue dot: its proposal was carried out; hollow"
        f" grey ring: that proposal was a random draw; {_OVERRIDE}. Thick line: mean of the last 20 decisions."
        f" Dashed line: zero. {_ZOOM_BOTH}"
    ),
    "epsilon": (
        "The probability that the agent's proposal is a random draw instead of what looks best to it, at each"
        f" decision. {_ZOOM}"
    ),
    "parameters": (
        "Parameters that receive gradients, in percent of the same model with nothing tied. Solid blue: each storage"
        " counted once. Dashed orange: what the official code's count would print; it counts shared storage more than"
        f" once. {_ZOOM}"
    ),
    "blocks": (
        "Solid blue: blocks of parameters that are truly distinct in memory. Dashed orange: layers that the tie map"
        f" calls independent. They part where the official code's bookkeeping merges storages. {_ZOOM}"
    ),
    "memory": (
        "Training memory by component, stacked: parameters, gradients, the optimizer's moments, and activations saved"
        f" for the backward pass (predicted from shapes), in millions of bytes, per decision. {_ZOOM}"
    ),
    "history": (
        "One row per layer, one column per decision. The colour tells whose parameters the layer uses: small squares"
        " at the left show each layer's own colour, so a layer in its own colour is independent. The column left of 0"
        f" is the start; {_OVERRIDE}. {_ZOOM}"
    ),
    "q_values": (
        "The agent's value of each legal answer for the layer asked about, in units of reward; a bar has the colour of"
        " the layer it names. Ring: proposed by the agent. Dot inside: committed. Yellow diamond: committed against the"
        " proposal. Shows the decision under the pointer, or else the latest."
    ),
    "tie_map": (
        "Each block is a layer, in the colour of the layer whose parameters it uses; an arc leads from a tied layer to"
        " that owner, and a layer in its own colour without one is independent. A thin strip below, where there is one,"
        " shows by colour what is truly one storage: it appears where that differs from the map."
    ),
    "moment_memory": (
        "Bytes of one training step under the tie map of this decision, by component, in millions: parameters,"
        " gradients, the optimizer's moments, and activations saved for the backward pass (predicted from shapes)."
    ),
    "costs": (
        "What would happen at once: the change of the loss if the layer of a row copied the layer of a column (its own"
        " number: trained on its own), everything else as it is and nothing trained in between. Purple: the loss rises;"
        " orange: it falls; shades are stretched around 0. Outlined, in its owner's colour: the present tie. A white"
        " cross: the interval over probe sequences holds 0. Untying costs nothing at once, since the layer starts on a"
        " copy; what it is worth shows only after training."
    ),
    "similarity": (
        "How alike each pair of layers is: the shade (and number) in row a, column b. Outlined pairs are tied to each"
        " other (use the same parameters), in their owner's colour; the small squares along the axes show each layer's"
        " owner. A white cross: not above what unrelated layers reach one time in twenty. A white dot, where a freshly"
        " initialised model was compared too: not above what the same pair shows there, before any training."
    ),
    "weights": (
        "How alike one weight matrix is in each pair of layers: the cosine between its entries. Outlined pairs are tied"
        " and so equal; the small squares along the axes show each layer's owner. A white cross: not above what entries"
        " matched at random reach one time in twenty. Weights are not sampled, so there is no interval."
    ),
    "weights_of_models": (
        "How alike one weight matrix is in each layer of the one model (rows) and of the other (columns): the cosine"
        " between its entries. The small squares along the axes show each layer's owner in its own model. A white"
        " cross: not above what entries matched at random reach one time in twenty. Models from different seeds have"
        " no entries in common order, so that 0 says nothing about what they do."
    ),
    "attribution": (
        "How much each layer contributes by the method named on the axis. A bar has the colour of the layer's owner;"
        " an arrow above names the owner of a tied layer; the upright line is the interval. Attribution is to the"
        " layer's position, so tied layers differ. Each bar is of its layer's own update, and later layers read what"
        " earlier ones wrote: bars of different layers do not add up to a whole."
    ),
    "attribution_of_token": (
        "How much each layer contributes to the loss of the picked token, by the method named on the axis: above zero"
        " the loss rises without it or by it, as the axis says. A bar has the colour of the layer's owner; an arrow"
        " above names the owner of a tied layer. One token: no interval."
    ),
    "twin_curves": (
        "Held-out loss after the fork. Each thin line is one branch of one replicate: blue as the agent proposed,"
        " orange as answered. Both branches of a replicate read the same batches. Dashed: the horizon that was stated."
        " The points there are evaluated on more of the text than those before, so a step of all lines there comes from"
        " the text, not from training."
    ),
    "difference_over_horizon": (
        "Above zero the answer is worse, below it better. Thin grey: one replicate each. Orange: their mean, shaded"
        " with its 95 % t interval, at each point by itself: only the one at the dashed horizon was stated before."
        " Green band: differences that do not matter. Brown, at the left: the steps after which the agent is rewarded."
    ),
    "replicate_dots": (
        "Grey dots: the difference in the stated metric at the horizon, a dot per replicate. Orange line: the mean so"
        " far. Diamonds with upright lines: the looks that were planned, with the interval at each look's own level;"
        " between looks there is no verdict. Green band: differences that do not matter."
    ),
    "audit": (
        "Dashed orange: what the official code would have printed; solid blue: what was true. Layers: those that the"
        " map calls independent, and distinct blocks in memory. Parameters: as the official code's count by layer"
        " prints them, and those that train, each storage once. Memory: what was allocated when the episode began,"
        " where the official code reads it, and what a training step needs, predicted from shapes; dotted green, on"
        " CUDA: the allocator's measured peak."
    ),
    "gradient_flow": (
        "One row per layer, one column per decision. Blue: the position alone gives its weights their gradient"
        " (owner). Green: its gradient is added to that of other positions (summed). Grey: no gradient of the"
        " weights comes from there (none): a frozen copy, or a layer not yet asked about."
    ),
    "similarity_of_models": (
        "How alike each layer of the one model (rows) is to each of the other (columns): the shade (and number). Layers"
        " at the same share of the depth lie along the diagonal from the top left to the bottom right. The small"
        " squares along the axes show each layer's owner in its own model. A white cross: not above what unrelated"
        " layers reach one time in twenty; a white dot: not above what the pair shows freshly initialised."
    ),
    "memory_of_maps": (
        "What one training step holds in memory at its fullest moment, by component, in millions of bytes: with nothing"
        " tied, with the ties of this moment, and with everything tied. Predicted from shapes; measured by following"
        " every tensor of a real step of a copy. Temporaries: what operations hold besides. What a process or an"
        " allocator keeps beyond its tensors is not in it."
    ),
    "memory_by_layer": (
        "What was measured of each layer at the step's fullest moment, in the colour of its owner; fainter parts are"
        " activations and temporaries. Parameters, gradients and moments stand at the first layer that uses them, so a"
        " tied layer has activations alone; with owner gradients fewer of these. What lies outside the layers"
        " (embedding, head, loss) is not in it."
    ),
    "lens": (
        "The logit lens: the loss if the model stopped after so many layers and went straight to its final norm and"
        " head, with the interval over probe sequences. A dot has the colour of the owner of the last layer passed; the"
        " hollow one is the embedding alone."
        " Where the curve is flat, the layer changed little of what the model would say."
    ),
    "lens_of_token": (
        "The logit lens of the picked token: how well it would be predicted after so many layers. A dot has the colour"
        " of the owner of the last layer passed. One token: no interval."
    ),
    "lens_tokens": (
        "What the model would say after so many layers (across): its five likeliest tokens, the first on top, and their"
        " probability as the shade. Outlined in yellow: the true one, where it is among them."
    ),
    "entropy": (
        "How widely each head of each layer looks: the entropy of its attention as a share of the most it could have."
        " Dark: at one token alone; light: at all alike. Tied layers have equal heads, yet look at other things."
    ),
    "attention": (
        "Where each layer (down) looks when the picked token is predicted: the attention that its heads give, on"
        " average, to each token read (across). Attention is not what a prediction rests on; for that see the colours"
        " of the text above."
    ),
    "ablation": (
        "How the agent's values depend on the rest of the map: a cell per layer (across) and answer (down). Its shade"
        " is the largest change of that answer's value if that one layer copied another one than it does, everything"
        " else as it is; point at a cell to see which one. A pale column: the agent does not care for that layer."
    ),
    "inputs_integrated-gradients": (
        "Integrated gradients of the Q-network: what each input (the source of each layer) gives to the value of the"
        " proposed answer, along the straight path from the all-tied map, whose inputs are all 0. Bars add up to the"
        " value less that on the all-tied map, but for the completeness error."
    ),
    "inputs_contribution": (
        "What each part of the agent's model gives to the value of the proposed answer, beside keeping the tie; the"
        " bars add up to it exactly. Table: that layer copying that source. Count, position: how many owners and where."
        " Jumps, pooled: neighbours with different owners, distance to owners. Changing a tie: what any change costs."
    ),
    "precedents": (
        "The past decisions about the same layer with the most similar tie map (to the left). A dot's colour and word:"
        " what was answered then. Upwards: the reward that followed, above the mean of the pass around it. Dots that"
        " lie high say that the answer did well when the map was like this."
    ),
    "value_since": (
        "Has the agent changed its mind? The value of the answer that was given, on the map as it was then, to the"
        " agent before it learned from it (first dot) and later. Dashed: what came of it, as far as one decision tells:"
        " rewards are noisy. Dots that move towards the line: what came of it, and decisions like it, were learned."
    ),
    "calibration": (
        "A dot per decision that changed a tie: the value that the agent gave the answer (across) and what came of it"
        " (upwards). If its values are right, the dots rise to the right and the rank correlation is above zero; the"
        " interval is a bootstrap of blocks of decisions. Returns, and values of them, are both less their means over"
        " the pass around, since both change while training goes on; of changes the first pass is left out. Colour: the"
        " layer asked about. One run."
    ),
    "value_against_cost": (
        "Does the agent know? A dot per change of one tie: to the right, the value that the agent gives the answer now;"
        " upwards, how much the loss rises at once if it were given, with the interval over probe sequences. If it"
        " knows, dear ties have low values: the dots fall to the right, and the rank correlation is below zero; its"
        " interval leaves out one layer at a time. Nearness: what the order of the layers alone tells. A value is about"
        " what comes after training, the cost about what comes before, so that they need not agree."
    ),
    "similarity_against_cost": (
        "Would the similarity have told us what to tie? A dot per pair of layers: to the right, how alike they are;"
        " upwards, how much the loss rises at once if the later layer copies the earlier one, with the interval over"
        " probe sequences. The colour is that of the layer whose weights would be used. The scale upwards is stretched"
        " around the dashed zero. If alike layers are cheap to tie, the dots fall to the right and the rank correlation"
        " is below zero; its interval leaves out one layer at a time, and p (Mantel's) says how often names"
        " of layers dealt at random give as much. Nearness: what the order of the layers alone tells."
    ),
    "update_profile": (
        "What each layer does to the residual stream, from the first layer on the left to the last, a dot in the colour"
        " of the layer's owner. Update / stream: how long its update is as a share of the stream it reads; near 0 the"
        " layer could almost be left out. Cosine: which way it points; near 0 it adds something new, below it takes"
        " away from what is there, above it makes it stronger. Norm: how long the stream is before the layer. Upright"
        " lines: intervals over probe sequences, seen where they are larger than the dot. Tied layers have equal"
        " weights and differ here."
    ),
    "spectra": (
        "The singular values of one weight matrix on a logarithmic axis, largest first: a line per owner, in its"
        " colour; tied layers share their owner's line. A line that falls steeply belongs to a"
        " matrix that uses few directions. Weights are not sampled, so there is no interval."
    ),
    "attribution_methods": (
        "The same layers by several methods, one above the other, each with its own scale; a bar has the colour of the"
        " layer's owner, the upright line is the interval, and the completeness error says by how much the shares miss"
        " the difference that they should sum to. Methods ask different questions and may disagree: the tiles below"
        " rank the layers by each, bright = rank 1, the layer that lowers the loss most; a column with unlike"
        " tiles is a layer that they disagree on. Replaced: the nearest layer before or after with other weights"
        " stands in; a gap means that there is none."
    ),
}
"""Chart name -> how to read it."""
