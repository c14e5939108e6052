#pragma once

#include <filesystem>
#include <stop_token>
#include <string>
#include <vector>

#include "core/bundle/manifest.h"
#include "core/result.h"
#include "daemon/fetch/blob_source.h"
#include "daemon/fetch/fetch.h"
#include "daemon/fetch/retry.h"

namespace berth::fetch {

/// `Repository::blob` over any source: into `part` (empty: `<file>.part`), which becomes `file` when it is whole. One that is whole and wrong is removed.
/// Errors name the blob.
Result<void> fetch_blob(BlobSource& source, const bundle::BlobRef& ref, const std::vector<std::string>& chunks, const std::filesystem::path& file,
                        Progress& progress, std::stop_token stop, const Retries& retries = {}, std::filesystem::path part = {});

/// `Repository::small_blob` over any source.
Result<std::string> fetch_small_blob(BlobSource& source, const bundle::BlobRef& ref, std::uint64_t most, std::stop_token stop,
                                     const Retries& retries = {});

}  // namespace berth::fetch
