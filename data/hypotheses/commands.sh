# What made the studies in this folder. RUN is a folder of your choice.
set -e
export OMP_NUM_THREADS=1
RUN=${1:?a folder for the run}
python "$(dirname "$0")/trunk.py" "$RUN" 23 28 111 182 193 197
python -m layertie_lab twins "$RUN" --decision 111 --answer 0 --expected worse --horizon 100 --workers 1 --quiet \
  --statement "The first two layers cannot share: tying layer 1 to layer 0 costs loss."
python -m layertie_lab twins "$RUN" --decision 28 --answer 6 --expected better --horizon 100 --workers 1 --quiet \
  --statement "A middle layer does better on its own than tied, even early."
python -m layertie_lab twins "$RUN" --decision 193 --answer 6 --expected "no difference that matters" --horizon 20 --workers 1 \
  --quiet --statement "Late and over a short horizon it does not matter whether a tied middle layer is let go."
# Stated after the verdict of the third, which Holm's correction left undecided: one look at 16 replicates.
python -m layertie_lab twins "$RUN" --decision 197 --answer 10 --expected "no difference that matters" --horizon 12 --looks 16 \
  --workers 1 --quiet --statement "Late and over three decisions it does not matter whether a tied upper layer is let go."
python -m layertie_lab twins "$RUN" --list --json > "$RUN/verdicts.json"
