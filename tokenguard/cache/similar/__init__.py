"""Answer a question with the answer that a similar question got, where that is asked for.

``settings`` has what is to be said, ``question`` which calls ask a question and what they have in common,
``gates`` what must be equal in two questions, ``index`` where their vectors are kept, ``lookup`` all of it at
work, and ``calibration`` how good a threshold is.
"""

from tokenguard.cache.similar.calibration import Calibration
from tokenguard.cache.similar.embedder import Embedder, EndpointEmbedder
from tokenguard.cache.similar.settings import Similar

__all__ = ["Calibration", "Embedder", "EndpointEmbedder", "Similar"]
