"""A scorer's network on onnxruntime: verified, and opened on first use in each process."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from facegauge.errors import ScorerError, UsageError
from facegauge.faces.spec import PreprocessSpec
from facegauge.images.memory import when_tight
from facegauge.onnx_runtime import import_onnxruntime, open_session, shrink
from facegauge.zoo.onnx_file import check_model

if TYPE_CHECKING:
    import onnxruntime

SPEC_KEY = "facegauge.spec"
INPUT, OUTPUT = "image", "score"
LANDMARKS = "landmarks"  # second input of networks that use landmarks
SIZE = "size"  # second input of networks that are told the size of the face
HEAT_MAP = "heat_map"  # second output, written by `facegauge export`
MAPS = (HEAT_MAP, "quality", "confidence")  # the last two only for DSL-FIQA


class Model:
    """The network of a scorer folder.

    Instances can be shared by threads, pickled, and used after a fork. The threads of onnxruntime
    do not survive a fork, so each process opens its own session on first use.

    Args:
        folder: a scorer folder; the sha256 of its model is compared with the card's on first use.
        threads: number of onnxruntime threads for one batch.
        device: cpu or cuda, see `onnx_runtime`.
    """

    def __init__(self, folder: Path, threads: int = 1, device: str = "cpu") -> None:
        self.folder = folder
        self.threads, self.device = threads, device
        self._sessions: dict[int, onnxruntime.InferenceSession] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_sessions": {}}

    @property
    def spec(self) -> PreprocessSpec:
        """The preprocessing spec in the ONNX metadata.

        Raises:
            ScorerError: the model is damaged or has no valid spec.
        """
        metadata = self._session().get_modelmeta().custom_metadata_map
        if SPEC_KEY not in metadata:
            raise ScorerError(f"{self.folder}: the model's metadata has no {SPEC_KEY}")
        try:
            return PreprocessSpec.from_json(metadata[SPEC_KEY])
        except (ValueError, TypeError, AttributeError, UsageError) as error:
            raise ScorerError(f"{self.folder}: {SPEC_KEY} cannot be read: {error}") from error

    @property
    def uses_landmarks(self) -> bool:
        """Whether the network takes each face's five points as a second input."""
        return LANDMARKS in self._names

    @property
    def uses_size(self) -> bool:
        """Whether the network takes each face's size as a second input."""
        return SIZE in self._names

    @property
    def _names(self) -> list[str]:
        return [value.name for value in self._session().get_inputs()]

    @property
    def has_heat_map(self) -> bool:
        """Whether the network gives a heat map beside the score."""
        return HEAT_MAP in [value.name for value in self._session().get_outputs()]

    def __call__(
        self, images: npt.NDArray[np.float32], guide: npt.NDArray[np.float32] | None = None
    ) -> npt.NDArray[np.float64]:
        """Compute the scores of a batch.

        Args:
            images: (N, 3, H, W) float32, normalised as the spec asks.
            guide: landmarks (N, 10) or sizes (N, 1), see `faces.guide`, for a network that uses
                them; None: unknown.

        Returns:
            (N,) float64, not clipped to 0..1.

        Raises:
            ScorerError: the network cannot be opened, or does not accept the batch.
        """
        try:
            (scores,) = self._session().run([OUTPUT], self._inputs(images, guide))
        except ScorerError:
            raise
        except Exception as error:
            shape = " x ".join(map(str, images.shape))
            raise ScorerError(f"{self.folder} failed on a batch of {shape}: {error}") from error
        if scores.shape != (len(images),):
            raise ScorerError(
                f"{self.folder}: expected {len(images)} scores, got shape {scores.shape}"
            )
        return np.asarray(scores, np.float64)

    def maps(
        self, image: npt.NDArray[np.float32], guide: npt.NDArray[np.float32] | None = None
    ) -> dict[str, npt.NDArray[np.float32]]:
        """Compute the maps of one face.

        Args:
            image: (1, 3, H, W) float32, normalised as the spec asks.
            guide: (1, 10) or (1, 1), as for scores.

        Returns:
            Maps (h, w) by name. The mean of `heat_map` is the score; DSL-FIQA also has `quality`
            and `confidence`.

        Raises:
            UsageError: the model has no heat map.
            ScorerError: the network cannot be opened.
        """
        session = self._session()
        if not self.has_heat_map:
            raise UsageError(
                f"the scorer in {self.folder} has no heat map: its model.onnx lacks the output "
                f"{HEAT_MAP!r}; export its run folder again with `facegauge export`"
            )
        outputs = [output.name for output in session.get_outputs()]
        names = [name for name in MAPS if name in outputs]
        batches = session.run(names, self._inputs(image, guide))
        return {name: maps[0] for name, maps in zip(names, batches, strict=True)}

    def _inputs(
        self, images: npt.NDArray[np.float32], guide: npt.NDArray[np.float32] | None
    ) -> dict[str, npt.NDArray[np.float32]]:
        """The network's inputs by name."""
        if self.uses_landmarks:
            unknown = np.zeros((len(images), self._session().get_inputs()[1].shape[1]), np.float32)
            return {INPUT: images, LANDMARKS: unknown if guide is None else guide}
        if self.uses_size:
            unknown = np.full((len(images), 1), np.nan, np.float32)
            return {INPUT: images, SIZE: unknown if guide is None else guide}
        return {INPUT: images}

    def _session(self) -> onnxruntime.InferenceSession:
        # Two threads may open a session each; setdefault keeps one. A lock could be held forever
        # in a process that was forked while another thread held it.
        process = os.getpid()
        return self._sessions.get(process) or self._sessions.setdefault(process, self._open())

    def _open(self) -> onnxruntime.InferenceSession:
        from facegauge.zoo import load_model

        options = import_onnxruntime().SessionOptions()
        options.intra_op_num_threads = self.threads
        options.log_severity_level = 3  # errors only
        options.enable_mem_pattern = False  # batches differ in size
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        model = load_model(self.folder)
        try:
            check_model(model)
        except ScorerError as error:
            raise ScorerError(f"{self.folder}: {error}") from error
        try:
            session: onnxruntime.InferenceSession = open_session(model, options, self.device)
        except UsageError:
            raise
        except Exception as error:
            raise ScorerError(f"onnxruntime cannot open {self.folder}: {error}") from error
        inputs = [value.name for value in session.get_inputs()]
        outputs = [value.name for value in session.get_outputs()]
        known = ([INPUT], [INPUT, LANDMARKS], [INPUT, SIZE])
        if inputs not in known or OUTPUT not in outputs:
            raise ScorerError(
                f"{self.folder}: expected a model with the input '{INPUT}', optionally "
                f"'{LANDMARKS}' or '{SIZE}', and the output '{OUTPUT}', got {inputs} and {outputs}"
            )
        when_tight(session, shrink)
        return session
