"""What each method is verified against: golden keys, and whose code computed them. Data only."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Evidence:
    """Golden keys behind one method; the defaults say that there are none.

    Args:
      runs: training runs that the trainer replays with this method, `tests/golden/trajectory/train_KEY.json`.
      formulas: values and gradients of the parts that make it, `tests/golden/rebalance/KEY.json`.
    """

    runs: tuple[str, ...] = ()
    formulas: tuple[str, ...] = ()

    @property
    def level(self) -> str:
        """The strongest of what is verified: `training run`, `formula` or `neither`."""
        return "training run" if self.runs else "formula" if self.formulas else "neither"

    @property
    def sources(self) -> tuple[str, ...]:
        """Whose code the strongest evidence comes from, every repository once."""
        found = [RUNS[key] for key in self.runs] or [FORMULAS[key] for key in self.formulas]
        return tuple({text.split(",")[0]: text for text in reversed(found)}.values())[::-1]


def of(method: str) -> Evidence:
    """The evidence of a method; one that is not in the table, such as a user's own, has none."""
    return METHODS.get(method, Evidence())


RUNS = {
    "accumulate_clip_cosine": "PyTorch's own optimiser in a plain loop",
    "balanced_softmax": "jiawei-ren/BalancedMetaSoftmax-Classification",
    "cmo": "naver-ai/cmo",
    "cross_entropy": "kaidic/LDAM-DRW",
    "crt": "facebookresearch/classifier-balancing",
    "disalign": "Megvii-BaseDetection/cvpods, its modules in a plain loop",
    "equalization_v2": "tztztztztz/eqlv2, its loss in a plain loop",
    "focal": "kaidic/LDAM-DRW, a re-implementation",
    "gcl": "Keke921/GCLLoss",
    "influence_balanced": "pseulki/IB-Loss",
    "lade": "hyperconnect/LADE",
    "ldam_drw": "kaidic/LDAM-DRW",
    "logit_adjusted_loss": "Chumsy0725/logit-adj-pytorch, a re-implementation",
    "lws": "facebookresearch/classifier-balancing",
    "mislas": "dvlab-research/MiSLAS",
    "mixup": "dvlab-research/MiSLAS, a re-implementation",
    "remix": "ntucllab/imbalanced-DL, a re-implementation",
    "sam": "davda54/sam, a re-implementation in a plain loop",
    "seesaw": "open-mmlab/mmdetection, its loss in a plain loop",
    "vs_loss": "orparask/VS-Loss",
    "weight_balancing": "ShadeAlsha/LTR-weight-balancing",
    "weighted_cross_entropy": "kaidic/LDAM-DRW",
}
"""Key of a replayed run -> the repository whose loop ran; what of it, where it is not the authors' whole loop."""

PAPER = "written from the paper, no code is published"

FORMULAS = {
    "anyloss": "doheonhan/anyloss",
    "balanced_softmax": "jiawei-ren/BalancedMetaSoftmax-Classification",
    "bayias": "XuZhengzhuo/Prior-LT",
    "bias_loss": "lusinlu/biasloss_skipblocknet",
    "causal_tde": "KaihuaTang/Long-Tailed-Recognition.pytorch",
    "cb_softmax_bce_port": "ShadeAlsha/LTR-weight-balancing",
    "cdt": "zhangyongshun/BagofTricks-LT, a re-implementation",
    "class_balanced_loss": "richardaecn/class-balanced-loss",
    "class_weights": "richardaecn/class-balanced-loss",
    "cross_entropy": "kaidic/LDAM-DRW",
    "cutmix_cmo": "naver-ai/cmo",
    "dataset_equity_gfl": "towardsautonomy/DatasetEquity",
    "disalign": "Megvii-BaseDetection/cvpods",
    "drw_schedule": "kaidic/LDAM-DRW",
    "dynamic_loss_reweight": "sowmaster/Sample-Level-Loss-Reweighting-ICLR-2025",
    "equalization_sigmoid": "tztztztztz/eqlv2",
    "equalization_softmax": "zhangyongshun/BagofTricks-LT, a re-implementation",
    "equalization_v2": "tztztztztz/eqlv2",
    "focal": "kaidic/LDAM-DRW, a re-implementation",
    "gcl": "Keke921/GCLLoss",
    "influence_balanced": "pseulki/IB-Loss",
    "label_aware_smoothing": "dvlab-research/MiSLAS",
    "lade": "hyperconnect/LADE",
    "ldam": "kaidic/LDAM-DRW",
    "logit_adjust_posthoc": "google-research/google-research",
    "logit_adjusted_loss": "google-research/google-research",
    "lws": "facebookresearch/classifier-balancing",
    "mamix": "ntucllab/imbalanced-DL",
    "maxnorm_projection": "ShadeAlsha/LTR-weight-balancing",
    "meta_sampler": "jiawei-ren/BalancedMetaSoftmax-Classification",
    "mixup": "dvlab-research/MiSLAS, a re-implementation",
    "ncm": "facebookresearch/classifier-balancing",
    "pairwise_margin_loss": PAPER,
    "pc_softmax": "hyperconnect/LADE, one line of its evaluation",
    "prior_threshold": PAPER,
    "remix": "ntucllab/imbalanced-DL, a re-implementation",
    "repeat_factor_sampling": "facebookresearch/detectron2",
    "sampler_probabilities": "facebookresearch/classifier-balancing",
    "seesaw": "open-mmlab/mmdetection",
    "tau_norm": "facebookresearch/classifier-balancing",
    "two_phase": PAPER,
    "unimix": "XuZhengzhuo/Prior-LT",
    "vs_loss": "orparask/VS-Loss",
    "weighted_cross_entropy": "kaidic/LDAM-DRW",
    "z_loss": "pascal20100/factored_output_layer",
}
"""Key of compared values and gradients -> the repository whose code computed them."""

METHODS = {
    "anyloss": Evidence(formulas=("anyloss",)),
    "balanced_softmax": Evidence(("balanced_softmax",), ("balanced_softmax",)),
    "balms": Evidence(formulas=("balanced_softmax", "meta_sampler")),
    "bayias": Evidence(formulas=("bayias",)),
    "bias_loss": Evidence(formulas=("bias_loss",)),
    "causal_tde": Evidence(formulas=("causal_tde",)),
    "cdt": Evidence(formulas=("cdt",)),
    "class_balanced_focal": Evidence(formulas=("class_balanced_loss",)),
    "class_balanced_loss": Evidence(("weighted_cross_entropy",), ("class_weights", "weighted_cross_entropy")),
    "class_balanced_sampling": Evidence(formulas=("sampler_probabilities",)),
    "class_balanced_sigmoid": Evidence(formulas=("class_balanced_loss",)),
    "cmo": Evidence(("cmo",), ("cutmix_cmo", "sampler_probabilities", "drw_schedule")),
    "crt": Evidence(("crt",)),
    "cutmix": Evidence(formulas=("cutmix_cmo",)),
    "dataset_equity": Evidence(formulas=("dataset_equity_gfl",)),
    "decoupled_balanced_softmax": Evidence(formulas=("balanced_softmax",)),
    "disalign": Evidence(("disalign",), ("disalign",)),
    "drs": Evidence(formulas=("sampler_probabilities",)),
    "drw": Evidence(("weighted_cross_entropy", "focal"), ("weighted_cross_entropy", "drw_schedule")),
    "dynamic_loss_reweight": Evidence(formulas=("dynamic_loss_reweight",)),
    "effective_number_sampling": Evidence(formulas=("sampler_probabilities",)),
    "equalization_sigmoid": Evidence(formulas=("equalization_sigmoid",)),
    "equalization_softmax": Evidence(formulas=("equalization_softmax",)),
    "equalization_v2": Evidence(("equalization_v2",), ("equalization_v2",)),
    "erm": Evidence(("cross_entropy", "accumulate_clip_cosine"), ("cross_entropy",)),
    "focal": Evidence(("focal",), ("focal",)),
    "gcl": Evidence(("gcl",), ("gcl", "mixup")),
    "influence_balanced": Evidence(("influence_balanced",), ("influence_balanced",)),
    "label_aware_smoothing": Evidence(formulas=("label_aware_smoothing",)),
    "lade": Evidence(("lade",), ("lade",)),
    "ldam_drw": Evidence(("ldam_drw",), ("ldam", "drw_schedule")),
    "logit_adjust": Evidence(formulas=("logit_adjust_posthoc",)),
    "logit_adjust_tuned": Evidence(formulas=("logit_adjust_posthoc",)),
    "logit_adjusted": Evidence(("logit_adjusted_loss",), ("logit_adjusted_loss",)),
    "lws": Evidence(("lws",), ("lws",)),
    "mamix": Evidence(formulas=("mamix",)),
    "mislas": Evidence(("mislas",), ("mixup", "lws", "label_aware_smoothing")),
    "mixup": Evidence(("mixup",), ("mixup",)),
    "ncm": Evidence(formulas=("ncm",)),
    "oversampling": Evidence(formulas=("two_phase",)),
    "pairwise_margin": Evidence(formulas=("pairwise_margin_loss",)),
    "pc_softmax": Evidence(formulas=("pc_softmax",)),
    "prior_threshold": Evidence(formulas=("prior_threshold",)),
    "progressive_sampling": Evidence(formulas=("sampler_probabilities",)),
    "remix": Evidence(("remix",), ("remix",)),
    "repeat_factor_sampling": Evidence(formulas=("repeat_factor_sampling",)),
    "reversed_sampling": Evidence(formulas=("sampler_probabilities",)),
    "sam": Evidence(("sam",)),
    "seesaw": Evidence(("seesaw",), ("seesaw",)),
    "square_root_sampling": Evidence(formulas=("sampler_probabilities",)),
    "tau_norm": Evidence(formulas=("tau_norm",)),
    "tau_norm_tuned": Evidence(formulas=("tau_norm",)),
    "two_phase": Evidence(formulas=("two_phase",)),
    "undersampling": Evidence(formulas=("two_phase",)),
    "unimix": Evidence(formulas=("unimix", "bayias")),
    "vs": Evidence(("vs_loss",), ("vs_loss",)),
    "weight_balancing": Evidence(("weight_balancing",), ("cb_softmax_bce_port", "maxnorm_projection")),
    "z_loss": Evidence(formulas=("z_loss",)),
}
"""Method -> what it rests on. Plain cross-entropy stands in no row but its own; a key says nothing of options that its
cases do not use, and a replayed run is given its rows, so it says nothing of samplers."""
