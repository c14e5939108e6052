#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "core/bundle/layer.h"
#include "core/result.h"

namespace berth::bundle {

/// Decodes the frames of the blob `fd`, one after the other, in bounded memory (a window of at most 8 MiB), and hands on their content in
/// pieces. A frame that is not one whole zstd frame of just these sizes fails with `Errc::trust`, naming its place.
Result<void> decode_frames(int fd, const std::vector<Frame>& frames, const std::function<Result<void>(std::string_view)>& sink);

}  // namespace berth::bundle
