#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "core/bundle/layer.h"
#include "core/patch/frame.h"
#include "core/patch/script.h"
#include "core/publish/unpacked_layer.h"

namespace berth::publish {

/// The script that makes the contents of `made`, files of `fresh`, one after the other. `base` is the canonical tar of the entries `before`: what the script may refer to. Programs
/// that both have are told by their differences where those are few; everything else is literal, and left to zstd, as is a program with which there
/// would be more than `most_steps`.
patch::Script script_of(std::string_view base, const std::vector<bundle::Entry>& before, const UnpackedLayer& fresh, const std::vector<bundle::Entry>& made,
                        patch::Effort effort, std::size_t most_steps = patch::kMostSteps);

/// The contents of some of a layer's files, one after the other.
std::string contents_of(const UnpackedLayer& layer, const std::vector<bundle::Entry>& some);

/// The tar of some of a layer's entries, out of that of all of them.
std::string tar_of(const UnpackedLayer& layer, const std::vector<bundle::Entry>& some);

}  // namespace berth::publish
