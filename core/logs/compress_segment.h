#pragma once

#include <stop_token>
#include <vector>

#include "core/logs/log_layout.h"
#include "core/result.h"

namespace berth::logs {

/// The segments of an instance's log that may be compressed and are not, oldest first: all but the newest, which is written, and the one before it, by which
/// keepers go on numbering. Empty where the folder is not there.
std::vector<Segment> compressible_segments(const fs::path& folder);

/// Compresses a rotated segment, `….log` to `….log.zst`, with the owner, mode and times it had. Durable: the plain one goes when the other is on the disk
/// whole, so that a crash leaves one of them, or both, which are alike. Frames are of 128 KiB, so that readers need little memory. False where the segment is not one that is
/// rotated, or somebody removed it meanwhile. Fails with `Errc::cancelled` when asked to stop, else as the file system does; then nothing has changed.
Result<bool> compress_segment(const Segment& segment, std::stop_token stop);

}  // namespace berth::logs
