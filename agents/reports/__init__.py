"""What comes of finished runs: statistics, tables, plots and pages."""
