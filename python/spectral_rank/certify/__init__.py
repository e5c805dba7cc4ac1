"""From a measured exponent to a Lean theorem: outward intervals, exact integers, fixed proofs."""

from spectral_rank.certify.builders import (
    approximation,
    conditioning,
    envelope,
    envelope_conditioning,
    slow,
    steep,
)
from spectral_rank.certify.derived_records import compare_derived, replace_derived
from spectral_rank.certify.instance import Certificate, CertificateError, Origin
from spectral_rank.certify.instances_check import InstancesReport, check_instances
from spectral_rank.certify.lean_writer import file_text, write_instances
from spectral_rank.certify.names import lean_names
from spectral_rank.certify.records import CertificateSet, RecordError, read_records, write_record
from spectral_rank.certify.request import InstanceRequest, MeasuredExponent, MeasuredSpectrum

__all__ = [
    "Certificate",
    "CertificateError",
    "CertificateSet",
    "InstanceRequest",
    "InstancesReport",
    "MeasuredExponent",
    "MeasuredSpectrum",
    "Origin",
    "RecordError",
    "approximation",
    "check_instances",
    "compare_derived",
    "conditioning",
    "envelope",
    "envelope_conditioning",
    "file_text",
    "lean_names",
    "read_records",
    "replace_derived",
    "slow",
    "steep",
    "write_instances",
    "write_record",
]
