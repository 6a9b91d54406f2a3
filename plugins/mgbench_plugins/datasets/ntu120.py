"""NTU RGB+D 120: twice the actions of NTU RGB+D, by 106 people in 32 setups of the cameras [Liu et al., TPAMI 2020]."""

from pathlib import Path
from typing import Final, Literal

import attrs

from mgbench import Clips, Dataset, Skeleton, load_skeleton
from mgbench.components import Split
from mgbench_plugins.datasets import ntu60


_CLASSES: Final = (*ntu60.CLASSES, *(f"A{action:03}" for action in range(61, 121)))
_TRAINING_PERFORMERS: Final = ntu60.TRAINING_PERFORMERS | {
    45, 46, 47, 49, 50, 52, 53, 54, 55, 56, 57, 58, 59, 70, 74, 78, 80, 81, 82, 83, 84, 85, 86, 89, 91, 92, 93, 94, 95, 97, 98, 100, 103,
}  # fmt: skip


@attrs.frozen
class Ntu120(Dataset):
    """NTU RGB+D 120: 120 daily, medical and mutual actions by 106 people, Kinect-25, two people in a clip.

    There is no validation split. Recordings that the owners list as incomplete are left out where their list is there.

    Args:
        protocol: `xsub` tests on 53 other people, `xset` on the setups of odd number.
    """

    name = "ntu120"
    citation = """@article{liu2020ntu120,
  title={NTU RGB+D 120: A Large-Scale Benchmark for 3D Human Activity Understanding},
  author={Liu, Jun and Shahroudy, Amir and Perez, Mauricio and Wang, Gang and Duan, Ling-Yu and Kot, Alex C.},
  journal={IEEE Transactions on Pattern Analysis and Machine Intelligence},
  volume={42},
  number={10},
  year={2020}
}"""
    folders = ("ntu120", "ntu_skeleton")
    how = """NTU RGB+D 120 is granted by the ROSE Lab of Nanyang Technological University to researchers who sign its agreement
(rose1.ntu.edu.sg/dataset/actionRecognition), and must not be passed on. Expected, of its "3D skeletons (body joints)":
  ntu120/nturgb+d_skeletons/S001C001P001R001A001.skeleton ... S017C003P020R002A060.skeleton
  ntu120/nturgb+d_skeletons120/S018C001P008R001A061.skeleton ... S032C003P106R002A120.skeleton
  ntu120/NTU_RGBD120_samples_with_missing_skeletons.txt        from github.com/shahroudy/NTURGB-D"""
    persons = 2
    splits = ("train", "test")

    protocol: Literal["xsub", "xset"] = "xsub"

    @property
    def skeleton(self) -> Skeleton:
        """Kinect-25."""
        return load_skeleton("kinect25")

    @property
    def classes(self) -> tuple[str, ...]:
        """The 120 actions, A001 first; those that NTU RGB+D has not are called by their numbers."""
        return _CLASSES

    def load(self, split: Split, folder: Path) -> Clips:
        """Read the split's recordings, as many as there are."""
        greatest = ntu60.Name(setup=32, camera=3, performer=106, repetition=2, action=len(_CLASSES))
        if self.protocol == "xset":
            return ntu60.load_recordings(folder, split, greatest, lambda name: name.setup % 2 == 0)
        return ntu60.load_recordings(folder, split, greatest, lambda name: name.performer in _TRAINING_PERFORMERS)
