"""Placeholder until rendering is written."""


class Renderer:
    @staticmethod
    def for_mode(mode, simulation):
        return None
