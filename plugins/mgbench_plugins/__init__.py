"""The components that come with mgbench, found by the same entry point as anyone else's.

Each hook imports its own kind only, so that one broken kind stops no other.
"""

from mgbench import Augmentation, Dataset, Encoder, Evaluator, Method, hookimpl


@hookimpl
def mgbench_datasets() -> list[type[Dataset]]:
    """Data sets."""
    from mgbench_plugins.datasets.ar_body25 import ArBody25
    from mgbench_plugins.datasets.imigue import Imigue
    from mgbench_plugins.datasets.irds import Irds
    from mgbench_plugins.datasets.kinetics_skeleton import KineticsSkeleton
    from mgbench_plugins.datasets.ntu60 import Ntu60
    from mgbench_plugins.datasets.ntu120 import Ntu120
    from mgbench_plugins.datasets.nw_ucla import NwUcla
    from mgbench_plugins.datasets.packed import Packed
    from mgbench_plugins.datasets.smg import Smg
    from mgbench_plugins.datasets.synthetic import Synthetic
    from mgbench_plugins.datasets.ui_prmd import UiPrmd
    from mgbench_plugins.datasets.wmft import Wmft

    return [ArBody25, Imigue, Irds, KineticsSkeleton, Ntu120, Ntu60, NwUcla, Packed, Smg, Synthetic, UiPrmd, Wmft]


@hookimpl
def mgbench_encoders() -> list[type[Encoder]]:
    """Encoders."""
    from mgbench_plugins.encoders.agc_lstm import AGCLSTM
    from mgbench_plugins.encoders.agcn import AGCN
    from mgbench_plugins.encoders.bigru import BiGRU
    from mgbench_plugins.encoders.ctrgcn import CTRGCN
    from mgbench_plugins.encoders.dgcnn import DGCNN
    from mgbench_plugins.encoders.edgcn import EDGCN
    from mgbench_plugins.encoders.lstm import LSTM
    from mgbench_plugins.encoders.msg3d import MSG3D
    from mgbench_plugins.encoders.skeleton_transformer import SkeletonTransformer
    from mgbench_plugins.encoders.stgcn import STGCN
    from mgbench_plugins.encoders.tacnn import TaCNN

    return [AGCLSTM, AGCN, BiGRU, CTRGCN, DGCNN, EDGCN, LSTM, MSG3D, SkeletonTransformer, STGCN, TaCNN]


@hookimpl
def mgbench_methods() -> list[type[Method]]:
    """Methods: self-supervised, the supervised ceiling and the untrained floor."""
    from mgbench_plugins.methods.a_edgcn import AEDGCN, AEDGCNLiteral
    from mgbench_plugins.methods.actclr import ActCLR
    from mgbench_plugins.methods.aimclr import AimCLR
    from mgbench_plugins.methods.ascal import ASCAL
    from mgbench_plugins.methods.barlow_twins import BarlowTwins
    from mgbench_plugins.methods.byol import BYOL
    from mgbench_plugins.methods.cloud_colorization import CloudColorization
    from mgbench_plugins.methods.crosclr import CrosSCLR
    from mgbench_plugins.methods.longt_gan import LongTGAN
    from mgbench_plugins.methods.mamp import MAMP
    from mgbench_plugins.methods.mgrl import MGRL
    from mgbench_plugins.methods.ms2l import MS2L
    from mgbench_plugins.methods.predict_cluster import PredictCluster
    from mgbench_plugins.methods.pstl import PSTL
    from mgbench_plugins.methods.simsiam import SimSiam
    from mgbench_plugins.methods.skelemixclr import SkeleMixCLR
    from mgbench_plugins.methods.skeleton_mae import SkeletonMAE
    from mgbench_plugins.methods.skeletonclr import SkeletonCLR
    from mgbench_plugins.methods.supervised import Supervised
    from mgbench_plugins.methods.untrained import Untrained
    from mgbench_plugins.methods.us_vae import USVAE
    from mgbench_plugins.methods.vicreg import VICReg

    contrastive: list[type[Method]] = [ActCLR, AEDGCN, AEDGCNLiteral, AimCLR, ASCAL, CrosSCLR, SkeleMixCLR, SkeletonCLR]
    alike: list[type[Method]] = [BarlowTwins, BYOL, MGRL, PSTL, SimSiam, VICReg]
    generative: list[type[Method]] = [CloudColorization, LongTGAN, MAMP, MS2L, PredictCluster, SkeletonMAE, USVAE]
    return [*contrastive, *alike, *generative, Supervised, Untrained]


@hookimpl
def mgbench_augmentations() -> list[type[Augmentation]]:
    """Augmentations of views, and of sets."""
    from mgbench_plugins.augmentations.blur import Blur
    from mgbench_plugins.augmentations.channel_mask import ChannelMask
    from mgbench_plugins.augmentations.crop import Crop
    from mgbench_plugins.augmentations.crop_resize import CropResize
    from mgbench_plugins.augmentations.csm import CentralSpatialMasking
    from mgbench_plugins.augmentations.flip import Flip
    from mgbench_plugins.augmentations.frame_joint_mask import FrameJointMasking
    from mgbench_plugins.augmentations.joint_mask import JointMask
    from mgbench_plugins.augmentations.matm import MotionTemporalMasking
    from mgbench_plugins.augmentations.merge import Merge, MergeThreshold1, MergeThreshold2, SkeletonMix
    from mgbench_plugins.augmentations.mixup import Mixup
    from mgbench_plugins.augmentations.motion_token_mask import MotionTokenMasking
    from mgbench_plugins.augmentations.noise import Noise
    from mgbench_plugins.augmentations.part_swap import PartSwap
    from mgbench_plugins.augmentations.random_move import RandomMove
    from mgbench_plugins.augmentations.reverse import Reverse
    from mgbench_plugins.augmentations.rotate import Rotate
    from mgbench_plugins.augmentations.shear import Shear

    moves: list[type[Augmentation]] = [Crop, CropResize, Flip, PartSwap, RandomMove, Reverse, Rotate, Shear]
    noises: list[type[Augmentation]] = [Blur, ChannelMask, JointMask, Noise]
    masks: list[type[Augmentation]] = [CentralSpatialMasking, FrameJointMasking, MotionTemporalMasking, MotionTokenMasking]
    return [*moves, *noises, *masks, Merge, MergeThreshold1, MergeThreshold2, Mixup, SkeletonMix]


@hookimpl
def mgbench_evaluators() -> list[type[Evaluator]]:
    """Evaluators, the floors that need no encoder among them."""
    from mgbench_plugins.evaluators.finetune import Finetune
    from mgbench_plugins.evaluators.knn import KNN
    from mgbench_plugins.evaluators.linear import Linear
    from mgbench_plugins.evaluators.majority import Majority
    from mgbench_plugins.evaluators.raw import Raw
    from mgbench_plugins.evaluators.retrieval import Retrieval
    from mgbench_plugins.evaluators.semi import Semi
    from mgbench_plugins.evaluators.subject import Subject

    return [Finetune, KNN, Linear, Majority, Raw, Retrieval, Semi, Subject]
