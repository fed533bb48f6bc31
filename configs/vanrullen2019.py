"""VanRullen & Reddy 2019: faces from the brain, 128 px, 1024 latents.

    brainjax run --config configs/vanrullen2019.py --workdir runs/vanrullen \
      --config.recording.path=DS001761 --config.recording.subject=01 \
      --config.recording.images=STIMULI --config.pictures.path=CELEBA

DS001761 is https://openneuro.org/datasets/ds001761 (CC0) with derivatives of
fMRIPrep, to whose time series the map is fitted; STIMULI its stimuli/; CELEBA
a folder or .tar of the aligned pictures, or 'tfds:celeb_a/train'. With the
authors' vaegan_celeba.ckpt neither CELEBA nor training is needed:
--config.networks.weights=vaegan_celeba.ckpt. CelebA holds the test faces:
they are left out of what is trained here, and were not left out of the
authors' network. `brainjax faces` takes the authors' own maps and patterns.

Time: 50,000 steps are a task for a GPU. Nothing of it was run for want of the
files.
Scores to expect, over four subjects (chance): pairwise recognition above .95
(.5), by the abstract. Values remembered of the paper and not checked: PCA .875,
full recognition .65 (.05), PCA .41, gender .70 (.5). Imagery (.84) is not
scored from ds001761: its events do not tell which face was imagined.

`brainjax/methods/faces/config.py` names the source of every value.
"""

from ml_collections import ConfigDict

from brainjax.evaluation.faces.analysis import PUBLISHED
from brainjax.methods.faces.config import vanrullen2019

ONE = (
    'here one subject, and the thresholds of the choice of voxels are not known'
)
# Which face was imagined is not known of ds001761's events.
SCORED = {name: PUBLISHED[name] for name in PUBLISHED if name != 'imagery'}


def get_config():
    config = vanrullen2019()
    # Given by the user; there is no embedded substitute.
    config.recording.required = (
        'a subject of ds001761, which https://openneuro.org gives out, with '
        'its stimuli as config.recording.images'
    )
    # The map is that of the time series; single responses, which overlap, only
    # say how large a voxel's are.
    config.map.response = 'time-series'
    config.references = False  # They are of single responses.
    config.ceilings = False
    config.published = ConfigDict(
        {name: said | {'differs': ONE} for name, said in SCORED.items()}
    )
    return config
