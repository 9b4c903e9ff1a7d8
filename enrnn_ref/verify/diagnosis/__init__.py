"""Which mistake explains wrong numbers: a catalogue of those that people make, and a search (derivations/17).

::

    from enrnn_ref.verify import diagnosis
    for explanation in diagnosis.diagnose(model, params, x, state, dy, dstate, {"recurrent": mine}):
        print(explanation.sentence)
"""

from enrnn_ref.verify.diagnosis.catalogue import CATALOGUE as CATALOGUE
from enrnn_ref.verify.diagnosis.mistake import Mistake as Mistake
from enrnn_ref.verify.diagnosis.relations import relations as relations
from enrnn_ref.verify.diagnosis.search import Explanation as Explanation
from enrnn_ref.verify.diagnosis.search import diagnose as diagnose
