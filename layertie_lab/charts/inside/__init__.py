"""What the views of a moment show: layers, tokens, reasons, costs, memory."""
