#include <utility>

#include "tests/tools/forge/parts.h"

namespace berth::forge {
namespace {

using bundle::Manifest;

Layer honest_layer() { return layer_of_tree(honest_entries(), honest_tar().end()); }

/// A manifest that is well-formed, and of another thing.
Kind manifest_kind(std::string release, std::string path, std::string rule, std::function<void(Manifest&)> change) {
  return {std::move(release), std::move(path), std::move(rule), [make = std::move(change)](const Base& base, const std::string& id) {
            Forged forged = release_with(base, id, honest_layer());
            Manifest manifest = manifest_with(base, id, honest_layer());
            make(manifest);
            forged.manifest = to_canonical_json(manifest);
            return forged;
          }};
}
/// One whose text is changed.
Kind text_kind(std::string release, std::string path, std::string rule, std::function<std::string(std::string)> change) {
  return {std::move(release), std::move(path), std::move(rule), [make = std::move(change)](const Base& base, const std::string& id) {
            Forged forged = release_with(base, id, honest_layer());
            forged.manifest = make(std::move(forged.manifest));
            return forged;
          }};
}
Kind replaced_kind(std::string release, std::string path, std::string rule, std::string from, std::string to) {
  return text_kind(std::move(release), std::move(path), std::move(rule),
                   [from = std::move(from), to = std::move(to)](std::string text) { return replaced(std::move(text), from, to); });
}

bundle::LayerRef& layer(Manifest& manifest) { return manifest.builds.begin()->second.layer; }

/// Signed for one app under the name of another.
Kind misnamed_kind() {
  return {"manifest-under-another-app", "blog", "'web'", [](const Base& base, const std::string& id) {
            Forged forged = release_with(base, id, honest_layer());
            forged.app = "blog";
            return forged;
          }};
}

}  // namespace

std::vector<Kind> manifest_kinds() {
  return {
      manifest_kind("manifest-of-another-app", "'blog'", "another app", [](Manifest& m) { m.app = m.spec.app = "blog"; }),
      misnamed_kind(),
      manifest_kind("manifest-of-another-environment", "'qa'", "another environment", [](Manifest& m) { m.environment = "qa"; }),
      manifest_kind("manifest-of-another-release", "'v1'", "another release", [](Manifest& m) { m.release = "v1"; }),
      manifest_kind("manifest-spec-of-another-app", "spec", "of app 'blog'", [](Manifest& m) { m.spec.app = "blog"; }),
      manifest_kind("manifest-name-with-path", "'app'", "'../web'", [](Manifest& m) { m.app = m.spec.app = "../web"; }),
      manifest_kind("manifest-release-with-path", "release", "no id", [](Manifest& m) { m.release = "../../v1"; }),
      manifest_kind("manifest-previous-with-path", "previous", "no id", [](Manifest& m) { m.previous = "../v0"; }),
      manifest_kind("manifest-blob-with-path", "blob.sha256", "SHA-256", [](Manifest& m) { layer(m).blob.sha256 = "../../../../etc/passwd"; }),
      manifest_kind("manifest-blob-empty", "blob.size", "is 0", [](Manifest& m) { layer(m).blob.size = 0; }),
      manifest_kind("manifest-blob-of-2-tib", "blob.size", "too large", [](Manifest& m) { layer(m).blob.size = std::uint64_t{1} << 41; }),
      manifest_kind("manifest-blob-longer", "frames have", "the blob", [](Manifest& m) { layer(m).blob.size += 1; }),
      manifest_kind("manifest-index-of-1-gib", "index.size", "too large", [](Manifest& m) { layer(m).index.size = 1u << 30; }),
      manifest_kind("manifest-index-shorter", "index", "", [](Manifest& m) { layer(m).index.size -= 1; }),
      manifest_kind("manifest-tar-of-3-bytes", "tar_size", "size of a tar", [](Manifest& m) { layer(m).tar_size = 3; }),
      manifest_kind("manifest-tar-longer", "bytes of tar", "the layer", [](Manifest& m) { layer(m).tar_size += 512; }),
      manifest_kind("manifest-without-builds", "builds", "no build", [](Manifest& m) { m.builds.clear(); }),
      manifest_kind("manifest-of-another-platform", "linux/vax", "linux/", [](Manifest& m) {
        auto build = m.builds.extract(m.builds.begin());
        build.key() = "linux/vax";
        m.builds.insert(std::move(build));
      }),
      manifest_kind("manifest-variable-undeclared", "LD_PRELOAD", "does not declare", [](Manifest& m) { m.variables["LD_PRELOAD"] = "/tmp/evil.so"; }),
      manifest_kind("manifest-secret-without-kind", "secrets", "no reference", [](Manifest& m) { m.secrets["TOKEN"] = "hunter2"; }),
      manifest_kind("manifest-commit-of-two-lines", "manifest", "syntax error", [](Manifest& m) { m.commit = "abc\n\x1b[2J"; }),
      manifest_kind("manifest-created-never", "created", "no time", [](Manifest& m) { m.created = "yesterday"; }),
      manifest_kind("manifest-requires-another-berthd", "99.0.0", "requires berthd", [](Manifest& m) { m.requires_berthd = "99.0.0"; }),
      text_kind("manifest-of-a-newer-berth", "99.0.0", "upgrade berth",
                [](const std::string& text) {
                  return replaced(replaced(text, R"("requires_berthd":"0.1.0")", R"("requires_berthd":"99.0.0")"), R"("secrets":)", R"("quotas":1,"secrets":)");
                }),
      manifest_kind("manifest-needs-a-feature", "'teleport'", "needs", [](Manifest& m) { m.features = {"teleport"}; }),
      manifest_kind("manifest-command-empty", "command", "", [](Manifest& m) { m.spec.processes.begin()->second.command.clear(); }),
      manifest_kind("manifest-directory-out", "directory", "", [](Manifest& m) { m.spec.processes.begin()->second.directory = "../../.."; }),
      replaced_kind("manifest-not-canonical", "manifest", "canonical", "\"format\":1", "\"format\": 1"),
      replaced_kind("manifest-format-2", "format", "", "\"format\":1", "\"format\":2"),
      replaced_kind("manifest-member-twice", "app", "", "\"app\":\"web\"", "\"app\":\"web\",\"app\":\"web\""),
      replaced_kind("manifest-unknown-member", "run_as_root", "", "\"secrets\":", "\"run_as_root\":1,\"secrets\":"),
      replaced_kind("manifest-number-of-2-to-the-64", "manifest", "", "\"format\":1", "\"format\":18446744073709551617"),
      text_kind("manifest-over-4-mib", "manifest-over-4-mib.json", "are allowed at most",
                [](std::string text) { return text + std::string(bundle::kLargestManifest, ' '); }),
      text_kind("manifest-cut", "manifest", "", [](std::string text) { return text.substr(0, text.size() / 2); }),
      text_kind("manifest-then-more", "manifest", "", [](std::string text) { return text + "x"; }),
      text_kind("manifest-nested-deep", "manifest", "", [](const std::string&) { return std::string(1'000'000, '['); }),
      text_kind("manifest-a-list", "manifest", "", [](const std::string&) { return std::string("[]"); }),
  };
}

}  // namespace berth::forge
