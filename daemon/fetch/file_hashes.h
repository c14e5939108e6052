#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <stop_token>
#include <string>

#include "core/files/fd.h"
#include "core/result.h"

namespace berth::fetch {

/// Hashes many files while the disk gets the next ones ready: a few wait until others come or `finish` is called. Not for several threads.
class FileHashes {
 public:
  /// Is told what came of the file of that number: its SHA-256 in hex, or why it could not be read.
  using Take = std::function<Result<void>(std::size_t number, Result<std::string> sha256)>;

  FileHashes() = default;
  FileHashes(FileHashes&&) = default;
  FileHashes& operator=(FileHashes&&) = default;

  /// Takes a regular file to be hashed from where it stands, in the order of the calls. `name`, which has to live until it is hashed, is for messages. Fails
  /// with what `take` says of this file or of one before; what is left then is dropped.
  Result<void> add(Fd file, std::size_t number, const std::string& name, const Take& take, const std::stop_token& stop);

  /// Hashes what is left; fails as `add` does.
  Result<void> finish(const Take& take, const std::stop_token& stop);

 private:
  struct Job {
    Fd file;
    std::size_t number = 0;
    const std::string* name = nullptr;
  };

  Result<void> hash_next(const Take& take, const std::stop_token& stop);
  Result<std::string> hash(const Job& job, const std::stop_token& stop);

  std::deque<Job> waiting_;
  std::string buffer_;
};

}  // namespace berth::fetch
