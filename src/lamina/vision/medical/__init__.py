"""Pictures of medicine: DICOM files, their windows, and the region that matters."""
