"""MakeItTalk's pickles of training data, into stage 11's dump and back.

``<name>_<status>_au.pickle`` is a list of ``(content (T, 80), (index, file name, embedding (256,)))``, not normalised;
``_fl.pickle`` of ``(landmarks (T, 204), info)`` in the same order, with the head's motion; ``_gaze.pickle`` a dictionary
of lists: ``rot_trans`` (T, 3, 4), ``rot_quat`` (T, 4) and ``anchor_t_shape`` (T, 68, 3), the faces with the head held
still; ``emb.pickle`` a dictionary of embeddings. ``status`` is train, val or test.

A pickle is a program: whoever made it can have it do anything when it is read. Here only what builds numbers, strings,
lists, tuples, dictionaries and numpy arrays is let through; everything else is refused before it is called.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import logging
import os
import pickle
import pickletools
import struct
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from silvertalk.data import PartWriter, combine_parts, read_rows, read_scp
from silvertalk.makeittalk.geometry import ANCHORS, head_pose, rigid_registration
from silvertalk.makeittalk.statistics import Statistics
from silvertalk.utils import atomic_path, progress
