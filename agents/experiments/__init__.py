"""What is played: runs, suites of runs, how they are scheduled, and searches."""
