"""d3rlpy's offline learners behind the interface of ours; docs/offline.md has how to install it."""
