"""Training: corpus, pretraining, finetuning, evaluation, publishing.

Nothing in the rest of the package imports this; it needs the extra ``train``.
"""

from xstefaland.training.evaluation import evaluate
from xstefaland.training.finetuning import finetune
from xstefaland.training.fitting import Finetuning
from xstefaland.training.pretraining import Pretraining, pretrain
from xstefaland.training.publishing import publish

__all__ = ["Finetuning", "Pretraining", "evaluate", "finetune", "pretrain", "publish"]
