#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace berth::unpack {

/// The descriptors an unpack worker is given, and no others.
inline constexpr int kJob = 0;       ///< the job, to read
inline constexpr int kProgress = 1;  ///< a byte for every MiB of tar, and one for every frame
inline constexpr int kWords = 2;     ///< one line that says why it gave up
inline constexpr int kBlob = 3;      ///< the layer's blob, verified, to read
inline constexpr int kTarget = 4;    ///< the empty folder to fill

/// What the exit status of a worker claims. berthd believes none of it; it only picks the error's kind by it.
enum class Claim : int { done = 0, refused = 1, no_space = 2, system = 3 };

/// One frame of the blob.
struct FrameAt {
  std::uint64_t offset = 0;
  std::uint64_t size = 0;      ///< compressed
  std::uint64_t tar_size = 0;  ///< uncompressed

  bool operator==(const FrameAt&) const = default;
};

/// What a worker is to do: decode these frames, one after the other, and write every entry but those in `skip`. Where others unpack the rest of the
/// same layer, its share of the frames' tar are the entries in `take` bytes behind the first `drop`.
struct Job {
  std::vector<FrameAt> frames;
  std::uint64_t drop = 0;
  std::uint64_t take = 0;            ///< 0: up to the end of the tar, which has to come
  std::vector<std::string> folders;  ///< they are there, and what lies in them may come; sorted by bytes
  std::vector<std::string> skip;     ///< paths of files that are not to be made, and of folders that are there; sorted by bytes

  bool operator==(const Job&) const = default;
};

/// As the worker reads it: a line each, `frame OFFSET SIZE TAR_SIZE`, `share DROP TAKE`, `folder PATH` or `skip PATH`, and `end`.
std::string to_text(const Job& job);

/// Reads that form. A job without its `end` fails, as one does whose sender was killed.
Result<Job> parse_job(std::string_view text);

}  // namespace berth::unpack
