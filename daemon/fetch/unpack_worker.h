#pragma once

#include <cstdint>
#include <filesystem>
#include <stop_token>
#include <vector>

#include "core/bundle/layer.h"
#include "core/result.h"
#include "daemon/fetch/fetch.h"
#include "daemon/fetch/worker.h"
#include "daemon/unpack/job.h"

namespace berth::fetch {

/// What an unpack worker is given, for a layer or for a patch.
struct Work {
  unpack::Job job;
  const std::filesystem::path& blob;    ///< verified
  const std::filesystem::path& target;  ///< a folder for it, and
  int folder = -1;                      ///< that open; becomes the worker's
  int scratch = -1;                     ///< of a patch
  Fd tar{};                             ///< of a layer that is poured: the end of the pipe to write to, which is the worker's alone once it has begun
  std::uint64_t bytes = 0;              ///< that it has to go through, for its time
  std::uint64_t mapped = 0;             ///< bytes of files that it maps
  std::uint64_t largest_file = 0;       ///< bytes
  std::size_t entries = 0;              ///< that it makes itself
};

/// Runs a worker for each of `works`, all at once, within limits that follow from its work; the folder may be the same for all. When this returns, all are
/// dead, or it fails with `Errc::io` since the kernel holds on to one. Fails where one could not be run, had to be killed, or used up the disk's reserve; with `Errc::trust` where one refused what it was given, and
/// with `killed` where a signal ended it.
Result<void> run_workers(std::vector<Work>& works, Errc killed, const StageOptions& options, const std::stop_token& stop);

/// Bytes of the largest file.
std::uint64_t largest_file(const std::vector<bundle::Entry>& entries);

}  // namespace berth::fetch
