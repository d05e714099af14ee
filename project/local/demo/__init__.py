"""`./run demo`: both pipelines on real parts, start to end, and every figure checked."""
