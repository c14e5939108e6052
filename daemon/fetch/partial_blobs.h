#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/result.h"

namespace berth::fetch {

/// What came so far of blobs that are not whole, a file for each by its digest, so that the next attempt goes on there, also after berthd ended. Nothing of
/// it is believed: whoever goes on reads it again, MiB by MiB. Few are kept, and not for long. From any thread of the one berthd that has the folder.
class PartialBlobs {
 public:
  static constexpr std::size_t kMost = 8;               ///< files; the ones written to last stay
  static constexpr std::chrono::hours kLongest{7 * 24};  ///< since something was written to one

  struct Removed {
    std::size_t blobs = 0;
    std::uint64_t bytes = 0;
  };

  explicit PartialBlobs(std::filesystem::path folder) : folder_(std::move(folder)) {}

  /// A file that is its holder's alone, and may not be there yet. Who has all of it takes it away by renaming it.
  class Hold {
   public:
    Hold() = default;
    Hold(PartialBlobs& parts, std::string sha256) : parts_(&parts), sha256_(std::move(sha256)) {}
    Hold(Hold&& other) noexcept : parts_(std::exchange(other.parts_, nullptr)), sha256_(std::move(other.sha256_)) {}
    Hold& operator=(Hold&&) = delete;
    ~Hold();
    /// Empty where somebody else fetches the same blob.
    std::filesystem::path path() const;
    /// The fetch ended so: what is not worth to be kept is removed, a file without a byte or one of a blob that is not what was signed for.
    void failed(const Error& error) const;

   private:
    PartialBlobs* parts_ = nullptr;
    std::string sha256_;
  };
  Result<Hold> hold(const std::string& sha256);

  /// Bytes of that blob on the disk.
  std::uint64_t size_of(const std::string& sha256) const;

  /// Removes what is too old or too many. What somebody holds stays.
  Removed tidy();
  /// Removes all but what somebody holds and the blobs `keep`.
  Removed clear(const std::set<std::string>& keep = {});
  /// What `clear` would remove.
  Removed clearable() const;

 private:
  struct File;
  std::vector<File> files() const;  ///< that nobody holds, the newest first; with `mutex_`
  static void remove(const File& file, Removed& removed);

  std::filesystem::path folder_;  ///< empty: nothing is kept
  mutable std::mutex mutex_;
  std::set<std::string> held_;
};

}  // namespace berth::fetch
