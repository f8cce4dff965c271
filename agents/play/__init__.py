"""A person takes the agent's place: the viewer-day as a game, its rivals, and a page to play on.

* :mod:`agents.play.game`: viewer-days in play, what a person may see of them, and who did best;
* :mod:`agents.play.rivals`: agents that play the same viewer-days in the background;
* :mod:`agents.play.server`: the page and its requests, for this machine alone.
"""
