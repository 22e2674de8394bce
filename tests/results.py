"""A small DICOM SEG and a TID 1500 SR of one lesion, as results that go to a PACS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from pydicom.uid import generate_uid

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pydicom import Dataset

__all__ = ["write_seg", "write_sr"]

_PLACE: dict[str, Any] = {
    "instance_number": 1,
    "manufacturer": "lesionmap",
    "manufacturer_model_name": "tests",
    "software_versions": "1",
    "device_serial_number": "1",
}


def write_seg(path: Path, slices: Sequence[Dataset], **tags: Any) -> Path:
    """Write a SEG of one box on these slices; ``tags`` replace what it says (None removes)."""
    import highdicom as hd
    from pydicom.sr.codedict import codes

    box = np.zeros((len(slices), slices[0].Rows, slices[0].Columns), dtype=np.uint8)
    box[1:3, 2:5, 1:4] = 1
    segment = hd.seg.SegmentDescription(
        1,
        "L1",
        codes.SCT.MorphologicallyAbnormalStructure,
        codes.SCT.Lesion,
        hd.seg.SegmentAlgorithmTypeValues.MANUAL,
        tracking_id="L1",
        tracking_uid=generate_uid(),
    )
    seg = hd.seg.Segmentation(
        list(slices),
        box,
        hd.seg.SegmentationTypeValues.BINARY,
        [segment],
        series_instance_uid=generate_uid(),
        series_number=301,
        sop_instance_uid=generate_uid(),
        **_PLACE,
    )
    for keyword, value in tags.items():
        if value is None:
            delattr(seg, keyword)
        else:
            setattr(seg, keyword, value)
    seg.save_as(path)
    return path


def write_sr(path: Path, slices: Sequence[Dataset]) -> Path:
    """Write a Comprehensive 3D SR with one measurement group on these slices."""
    import highdicom as hd
    from pydicom.sr.codedict import codes

    reader = hd.sr.ObserverContext(codes.DCM.Person, hd.sr.PersonObserverIdentifyingAttributes(name="Reader^One"))
    group = hd.sr.PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=hd.sr.TrackingIdentifier(uid=generate_uid(), identifier="L1"),
        referenced_region=hd.sr.ImageRegion3D(
            graphic_type=hd.sr.GraphicTypeValues3D.POINT,
            graphic_data=np.array([[1.0, 2.0, 3.0]]),
            frame_of_reference_uid=slices[0].FrameOfReferenceUID,
        ),
        finding_type=codes.SCT.Lesion,
        measurements=[hd.sr.Measurement(codes.SCT.Diameter, 12.5, codes.UCUM.Millimeter)],
    )
    report = hd.sr.MeasurementReport(
        observation_context=hd.sr.ObservationContext(observer_person_context=reader),
        procedure_reported=codes.cid100.MultiparametricMRIOfWholeBody,
        imaging_measurements=[group],
        title=codes.DCM.ImagingMeasurementReport,
    )
    sr = hd.sr.Comprehensive3DSR(
        evidence=list(slices),
        content=report,
        series_number=302,
        series_instance_uid=generate_uid(),
        sop_instance_uid=generate_uid(),
        instance_number=1,
        manufacturer="lesionmap",
        is_complete=False,
        is_verified=False,
    )
    sr.save_as(path)
    return path
