import subprocess
import sys

CODE = """
import sys
import brainjax.networks.weights
print([
    name
    for name in sys.modules
    if name.startswith(('brainjax.recordings', 'h5py', 'nibabel'))
])
"""


def test_weights_load_no_recording():
    found = subprocess.run(
        [sys.executable, '-c', CODE], capture_output=True, text=True, check=True
    )
    assert found.stdout == '[]\n'
