"""BibTeX of works that several components come from, each worded once; a work of one component stands in that component's file."""

from typing import Final


ACTCLR: Final = """@inproceedings{lin2023actclr,
  title={Actionlet-Dependent Contrastive Learning for Unsupervised Skeleton-Based Action Recognition},
  author={Lin, Lilang and Zhang, Jiahang and Liu, Jiaying},
  booktitle={CVPR},
  year={2023}
}"""

AIMCLR: Final = """@inproceedings{guo2022aimclr,
  title={Contrastive Learning from Extremely Augmented Skeleton Sequences for Self-Supervised Action Recognition},
  author={Guo, Tianyu and Liu, Hong and Chen, Zhan and Liu, Mengyuan and Wang, Tao and Ding, Runwei},
  booktitle={AAAI},
  year={2022}
}"""

ASCAL: Final = """@article{rao2021ascal,
  title={Augmented Skeleton Based Contrastive Action Learning with Momentum LSTM for Unsupervised Action Recognition},
  author={Rao, Haocong and Xu, Shihao and Hu, Xiping and Cheng, Jun and Hu, Bin},
  journal={Information Sciences},
  volume={569},
  pages={90--109},
  year={2021}
}"""

CROSSCLR: Final = """@inproceedings{li2021crossclr,
  title={3D Human Action Representation Learning via Cross-View Consistency Pursuit},
  author={Li, Linguo and Wang, Minsi and Ni, Bingbing and Wang, Hang and Yang, Jiancheng and Zhang, Wenjun},
  booktitle={CVPR},
  year={2021}
}"""

CTRGCN: Final = """@inproceedings{chen2021ctrgcn,
  title={Channel-Wise Topology Refinement Graph Convolution for Skeleton-Based Action Recognition},
  author={Chen, Yuxin and Zhang, Ziqi and Yuan, Chunfeng and Li, Bing and Deng, Ying and Hu, Weiming},
  booktitle={ICCV},
  year={2021}
}"""

EDGCN: Final = """@inproceedings{shah2022edgcn,
  title={Efficient Dense-Graph Convolutional Network with Inductive Prior Augmentations for Unsupervised Micro-Gesture Recognition},
  author={Shah, Atif and Chen, Haoyu and Shi, Henglin and Zhao, Guoying},
  booktitle={ICPR},
  year={2022}
}"""

IMIGUE: Final = """@inproceedings{liu2021imigue,
  title={iMiGUE: An Identity-free Video Dataset for Micro-Gesture Understanding and Emotion Analysis},
  author={Liu, Xin and Shi, Henglin and Chen, Haoyu and Yu, Zitong and Li, Xiaobai and Zhao, Guoying},
  booktitle={CVPR},
  year={2021}
}"""

MAMP: Final = """@inproceedings{mao2023mamp,
  title={Masked Motion Predictors are Strong 3D Action Representation Learners},
  author={Mao, Yunyao and Deng, Jiajun and Zhou, Wengang and Fang, Yao and Ouyang, Wanli and Li, Houqiang},
  booktitle={ICCV},
  year={2023}
}"""

MGRL: Final = """@inproceedings{shah2024mgrl,
  title={Naive Data Augmentation Might Be Toxic: Data-prior Guided Self-supervised Representation Learning for Micro-gesture Recognition},
  author={Shah, Atif and Chen, Haoyu and Zhao, Guoying},
  booktitle={IEEE International Conference on Automatic Face and Gesture Recognition (FG)},
  year={2024}
}"""

MS2L: Final = """@inproceedings{lin2020ms2l,
  title={{MS2L}: Multi-Task Self-Supervised Learning for Skeleton Based Action Recognition},
  author={Lin, Lilang and Song, Sijie and Yang, Wenhan and Liu, Jiaying},
  booktitle={ACM Multimedia},
  year={2020}
}"""

MSG3D: Final = """@inproceedings{liu2020msg3d,
  title={Disentangling and Unifying Graph Convolutions for Skeleton-Based Action Recognition},
  author={Liu, Ziyu and Zhang, Hongwen and Chen, Zhenghao and Wang, Zhiyong and Ouyang, Wanli},
  booktitle={CVPR},
  year={2020}
}"""

PREDICT_CLUSTER: Final = """@inproceedings{su2020predict,
  title={PREDICT \\& CLUSTER: Unsupervised Skeleton Based Action Recognition},
  author={Su, Kun and Liu, Xiulong and Shlizerman, Eli},
  booktitle={CVPR},
  year={2020}
}"""

PSTL: Final = """@inproceedings{zhou2023pstl,
  title={Self-Supervised Action Representation Learning from Partial Spatio-Temporal Skeleton Sequences},
  author={Zhou, Yujie and Duan, Haodong and Rao, Anyi and Su, Bing and Wang, Jiaqi},
  booktitle={AAAI},
  year={2023}
}"""

SKELETON_MAE: Final = """@inproceedings{wu2023skeletonmae,
  title={SkeletonMAE: Spatial-Temporal Masked Autoencoders for Self-Supervised Skeleton Action Recognition},
  author={Wu, Wenhan and Hua, Yilei and Zheng, Ce and Wu, Shiqian and Chen, Chen and Lu, Aidong},
  booktitle={IEEE International Conference on Multimedia and Expo Workshops (ICMEW)},
  year={2023}
}"""

STGCN: Final = """@inproceedings{yan2018stgcn,
  title={Spatial Temporal Graph Convolutional Networks for Skeleton-Based Action Recognition},
  author={Yan, Sijie and Xiong, Yuanjun and Lin, Dahua},
  booktitle={AAAI},
  year={2018}
}"""
