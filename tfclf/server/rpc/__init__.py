"""One RPC a module, message in, message out, without transport; `tensors` and `examples` are what they share."""
