#pragma once

#include <memory>
#include <stop_token>
#include <string>
#include <string_view>

#include "core/io/http.h"
#include "core/trust/remote.h"

namespace berth::trust {

/// A repository, or a part of one, on a web server. Blocks; belongs on a pool thread.
class HttpRemote : public Remote {
 public:
  /// `base` is a URL with or without a `/` at its end; of `options`, `from` and `most` are this class's own. `stop` ends a transfer.
  HttpRemote(std::string base, io::FetchOptions options, std::stop_token stop = {});

  Result<std::string> get(std::string_view path, std::uint64_t most) override;

 private:
  std::string base_;
  io::FetchOptions options_;
  std::stop_token stop_;
};

/// The part `below` ("metadata", "targets", or empty for the whole) of the repository at `location`: http, https, `file://` or a folder.
/// Fails with `Errc::usage` on other schemes.
Result<std::unique_ptr<Remote>> remote_at(const std::string& location, std::string_view below, const io::FetchOptions& options,
                                          std::stop_token stop = {});

}  // namespace berth::trust
