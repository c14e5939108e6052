#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>

#include "core/io/http.h"
#include "core/result.h"

namespace berth::fetch {

/// Takes bytes as they come; failing ends the transfer with that failure.
using Sink = std::function<Result<void>(std::string_view)>;

/// Where blobs come from: a web server, or a folder. The seam that tests replace.
class BlobSource {
 public:
  virtual ~BlobSource() = default;
  /// Hands on the bytes of the file `path` below the repository from byte `from` on, `most` of them at most. One that is shorter just ends.
  /// Fails as `io::http_fetch` does.
  virtual Result<void> read(const std::string& path, std::uint64_t from, std::uint64_t most, const Sink& sink, std::stop_token stop) = 0;
};

/// The blobs of the repository at `url`: http, https, file:// or a folder. `Errc::usage` on others. `options` are for the web.
Result<std::unique_ptr<BlobSource>> blob_source_at(const std::string& url, const io::FetchOptions& options);

/// What every request of this node to its repository has in common: how long it may take, and who asks.
io::FetchOptions fetch_options(const io::TlsOptions& tls);

}  // namespace berth::fetch
