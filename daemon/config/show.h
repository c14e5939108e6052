#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "daemon/config/config.h"

namespace berth::config {

class Document;

/// All of a berthd.toml, as `parse`.
Result<Config> read_document(Document& document, std::string_view host, const std::vector<SinkKind>& kinds);

/// What a configuration comes to, as TOML: every key that counts, with where its value is from, "berthd.toml:12", "conf.d/10-web.toml:3, over berthd.toml:12" or
/// "default"; files are named from the folder of the first one. References to secrets are in it, but no secrets. Fails as `parse` does.
Result<std::string> show(const std::vector<Source>& sources, std::string_view host, const std::vector<SinkKind>& kinds);
Result<std::string> show(const fs::path& file, const std::vector<SinkKind>& kinds);

}  // namespace berth::config
