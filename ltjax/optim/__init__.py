"""How parameters move: schedules, optimisers, gradients and projections, each one function."""
