#pragma once

#include <array>
#include <cstddef>
#include <deque>
#include <functional>
#include <stop_token>
#include <string>
#include <string_view>

#include "core/crypto/sha256_pair.h"
#include "core/files/fd.h"
#include "core/result.h"

namespace berth::fetch {

/// Hashes many files, two of them side by side (`crypto::Sha256Pair`), while the disk gets the next ones ready: a few wait until others come or `finish` is
/// called. Not for several threads.
class FileHashes {
 public:
  /// Is told what came of the file of that number: its SHA-256 in hex, or why it could not be read.
  using Take = std::function<Result<void>(std::size_t number, Result<std::string> sha256)>;

  /// Takes a regular file to be hashed from where it stands; numbers rise. `name`, which has to live until it is hashed, is for messages. Fails with what
  /// `take` says of this file or of one before: of the lowest number that it says it of. What is left then is dropped.
  Result<void> add(Fd file, std::size_t number, const std::string& name, const Take& take, const std::stop_token& stop);

  /// Hashes what is left; fails as `add` does.
  Result<void> finish(const Take& take, const std::stop_token& stop);

 private:
  struct Job {
    Fd file;
    std::size_t number = 0;
    const std::string* name = nullptr;
  };
  struct Lane {
    Job job;  ///< without a file: it is free
    std::string buffer;
    std::string_view left{};  ///< of the buffer
    bool at_end = false;      ///< nothing comes behind what is left
  };

  Result<void> hash_next(const Take& take, const std::stop_token& stop);
  Result<void> end_one(const Take& take, const std::stop_token& stop);
  Result<void> end(std::size_t lane, Result<std::string> sha256, const Take& take, const std::stop_token& stop);
  Result<void> hash_alone(std::size_t lane, const std::stop_token& stop);
  static Result<void> fill(Lane& lane, const std::stop_token& stop);

  std::deque<Job> waiting_;
  std::array<Lane, 2> lanes_;
  crypto::Sha256Pair pair_;
};

}  // namespace berth::fetch
