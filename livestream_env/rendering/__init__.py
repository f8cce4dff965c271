"""A :class:`Frame` describes one impression; ``ansi`` writes it, ``rgb_array`` draws it."""

from livestream_env.rendering.frame import Card, Frame, clock, duration, minutes
from livestream_env.rendering.renderer import Renderer

__all__ = ["Card", "Frame", "Renderer", "clock", "duration", "minutes"]
