"""The methods, alike from outside: eight functions each."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from ml_collections import ConfigDict

from brainjax.io.files import PathLike
from brainjax.methods.data import Data, Findings, Given, Loaded
from brainjax.methods.faces import config as faces_config
from brainjax.methods.faces import data as faces_data
from brainjax.methods.faces import findings as faces_findings
from brainjax.methods.faces import method as faces
from brainjax.methods.faces import packing as faces_packing
from brainjax.methods.inversion import config as inversion_config
from brainjax.methods.inversion import data as inversion_data
from brainjax.methods.inversion import findings as inversion_findings
from brainjax.methods.inversion import method as inversion
from brainjax.methods.inversion import packing as inversion_packing
from brainjax.methods.packing import Packed
from brainjax.methods.posterior import config as posterior_config
from brainjax.methods.posterior import data as posterior_data
from brainjax.methods.posterior import findings as posterior_findings
from brainjax.methods.posterior import method as posterior
from brainjax.methods.posterior import packing as posterior_packing
from brainjax.methods.selfsup import config as selfsup_config
from brainjax.methods.selfsup import data as selfsup_data
from brainjax.methods.selfsup import findings as selfsup_findings
from brainjax.methods.selfsup import method as selfsup
from brainjax.methods.selfsup import packing as selfsup_packing


class Method(NamedTuple):
    """What `experiment.run` asks of a method.

    Attributes:
      config: () -> every setting, at the published values.
      load: config, what of it is given already -> recording, unpaired
        pictures [n, size, size, 3] uint8, sentences on what was skipped among
        them, and their names.
      fit: data, config, work folder -> whatever the next two want; what an
        interrupted run left in the folder is gone on from.
      reconstruct: fitted, fMRI [trials, voxels] normalised as the data's,
        config -> pictures [trials, size, size, 3] float32 in 0..1.
      findings: fitted, data, config -> scores, figures and sentences.
      pack: fitted, config -> arrays and what JSON holds, all that is needed
        for new data; None of a method whose runs keep no model.
      unpack: what `pack` gave, config, number of voxels, a folder for what is
        made on the way -> fitted, for the next and `reconstruct`.
      encode: fitted, pictures [n, size, size, 3] uint8, config -> the fMRI
        that it predicts [n, voxels], normalised as the data's.
    """

    config: Callable[[], ConfigDict]
    load: Callable[[ConfigDict, Given], Loaded]
    fit: Callable[[Data, ConfigDict, PathLike], Any]
    reconstruct: Callable[[Any, np.ndarray, ConfigDict], np.ndarray]
    findings: Callable[[Any, Data, ConfigDict], Findings]
    pack: Callable[[Any, ConfigDict], Packed] | None = None
    unpack: Callable[[Packed, ConfigDict, int, PathLike], Any] | None = None
    encode: Callable[[Any, np.ndarray, ConfigDict], np.ndarray] | None = None


METHODS = {
    'selfsup': Method(
        selfsup_config.gaziv2022,
        selfsup_data.load,
        selfsup.fit,
        selfsup.reconstruct,
        selfsup_findings.findings,
        selfsup_packing.pack,
        selfsup_packing.unpack,
        selfsup_packing.encode,
    ),
    'inversion': Method(
        inversion_config.shen2019,
        inversion_data.load,
        inversion.fit,
        inversion.reconstruct,
        inversion_findings.findings,
        inversion_packing.pack,
        inversion_packing.unpack,
        inversion_packing.encode,
    ),
    'faces': Method(
        faces_config.vanrullen2019,
        faces_data.load,
        faces.fit,
        faces.reconstruct,
        faces_findings.findings,
        faces_packing.pack,
        faces_packing.unpack,
        faces_packing.encode,
    ),
    'posterior': Method(
        posterior_config.posterior,
        posterior_data.load,
        posterior.fit,
        posterior.reconstruct,
        posterior_findings.findings,
        posterior_packing.pack,
        posterior_packing.unpack,
        posterior_packing.encode,
    ),
}
