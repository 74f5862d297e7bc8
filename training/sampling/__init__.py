"""Which problems a run trains on: pools by what the policy makes of them, and the draw of each step. Torch-free."""
