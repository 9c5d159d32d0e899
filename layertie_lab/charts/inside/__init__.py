"""What a look at a moment shows: layers, tokens, reasons, costs, memory."""
