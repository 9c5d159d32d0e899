"""What a model holds, does and costs, layer by layer: a model or a session in, frames with intervals out."""
