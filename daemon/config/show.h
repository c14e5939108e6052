#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "daemon/config/config.h"

namespace berth::config {

class Document;

/// All of a berthd.toml, as `parse`.
Result<Config> read_document(Document& document, std::string_view host, const std::vector<SinkKind>& kinds);

/// What a berthd.toml comes to, as TOML: every key that counts, with where its value is from, "line 12" or "default". References to secrets are in it, but no
/// secrets. Fails as `parse` does.
Result<std::string> show(std::string_view text, std::string_view name, std::string_view host, const std::vector<SinkKind>& kinds);
Result<std::string> show(const fs::path& file, const std::vector<SinkKind>& kinds);

}  // namespace berth::config
