"""Gradients and Adam written by hand, for networks too small for autograd."""
