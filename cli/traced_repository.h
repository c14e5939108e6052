#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "core/trust/remote.h"
#include "daemon/fetch/blob_source.h"

namespace berth::cli {

using Tell = std::function<void(std::string_view)>;

/// The same, with `tell` told of each file that is asked for at `place`, what came, and how long it took. Where `tell` is empty it is `remote` itself.
std::unique_ptr<trust::Remote> traced(std::unique_ptr<trust::Remote> remote, std::string place, Tell tell);
std::unique_ptr<fetch::BlobSource> traced(std::unique_ptr<fetch::BlobSource> source, std::string place, Tell tell);

}  // namespace berth::cli
