import torch

# As in `make test`: with two threads and a second busy process, tiny networks take 50 times longer.
torch.set_num_threads(1)
