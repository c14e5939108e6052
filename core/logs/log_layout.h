#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include "core/ids.h"
#include "core/result.h"

namespace berth::logs {

namespace fs = std::filesystem;

inline constexpr mode_t kRotatedMode = 0440;  ///< by which keepers mark what they will not write again

/// Where it is not known how far the numbers of a log had gone, its keeper goes on with a multiple of this (`keeper::kUnknownStep`): so many lines at the most are
/// missing in front of it.
inline constexpr std::uint64_t kUnknownStep = 10'000'000;

/// A keeper goes on with a multiple of this where the log was written before the machine was started (`keeper::kBootStep`): nothing need be missing in front of it but what
/// a power cut took, and so many lines are not.
inline constexpr std::uint64_t kBootStep = 1'000'000'000;

/// The file in an instance's folder in which its keeper writes the tag of the run that last ended though nobody had asked for that.
inline constexpr std::string_view kEndedName = ".ended";

/// One file of an instance's log, `<first sequence, 16 digits>.log[.zst]`.
struct Segment {
  fs::path path;
  std::uint64_t first = 0;  ///< the sequence of its first line
  bool compressed = false;
};

/// Reads a segment's file name; empty where the file is something else.
std::optional<Segment> parse_segment_name(std::string_view name);

/// The segments in an instance's folder, oldest first. Where a segment is there twice, as it is while being compressed, the plain one
/// counts. Fails with `Errc::not_found` where the folder is not there.
Result<std::vector<Segment>> list_segments(const fs::path& folder);

/// Whether a keeper goes on writing to it: it is plain, and not marked as rotated.
bool is_written(const Segment& segment);

/// The log of one instance.
struct InstanceLog {
  InstanceId id;  ///< without a release: an instance's log goes on over releases
  fs::path folder;
};

/// The logs below `root` that `selector` names, by process and number. Fails with `Errc::not_found`, naming what is there instead.
Result<std::vector<InstanceLog>> list_instances(const fs::path& root, const InstanceSelector& selector);

/// The logs of all apps below `root`, by instance. What cannot be read, or is not of an instance, is passed over; a `root` that is missing has none.
std::vector<InstanceLog> list_all_instances(const fs::path& root);

/// `worker.2` → process and number.
std::optional<InstanceId> parse_instance_folder(std::string_view app, std::string_view name);

}  // namespace berth::logs
