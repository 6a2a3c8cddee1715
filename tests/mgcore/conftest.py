import pytest
import torch


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """These feature maps have a hundred entries: a second thread only waits."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
