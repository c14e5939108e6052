#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include <boost/json/basic_parser_impl.hpp>
#include <fmt/core.h>

#include "core/json/json.h"

namespace berth::json {
namespace {

namespace bj = boost::json;

/// Builds a value from the parser's events. Boost's own handler keeps the last of two members of one name and turns an
/// integer past 64 bits into a double; what is signed must not be read in two ways, so this one refuses both.
class StrictHandler {
 public:
  static constexpr std::size_t max_array_size = SIZE_MAX;
  static constexpr std::size_t max_object_size = SIZE_MAX;
  static constexpr std::size_t max_string_size = SIZE_MAX;
  static constexpr std::size_t max_key_size = SIZE_MAX;

  explicit StrictHandler(bool floats) : floats_(floats) {}

  value take() { return std::move(root_); }
  const std::string& complaint() const { return complaint_; }

  bool on_document_begin(bj::error_code&) { return true; }
  bool on_document_end(bj::error_code&) { return true; }

  bool on_array_begin(bj::error_code&) { return open(array()); }
  bool on_array_end(std::size_t, bj::error_code&) { return close(); }
  bool on_object_begin(bj::error_code&) { return open(object()); }
  bool on_object_end(std::size_t, bj::error_code&) { return close(); }

  bool on_string_part(bj::string_view part, std::size_t, bj::error_code&) { return append(part); }
  bool on_string(bj::string_view last, std::size_t, bj::error_code&) {
    append(last);
    return add(value(bj::string(std::exchange(text_, {}))));
  }

  bool on_key_part(bj::string_view part, std::size_t, bj::error_code&) { return append(part); }
  bool on_key(bj::string_view last, std::size_t, bj::error_code& error) {
    append(last);
    open_.back().key = std::exchange(text_, {});
    if (!open_.back().container.get_object().contains(open_.back().key))
      return true;
    return refuse(error, fmt::format("member '{}' occurs twice", open_.back().key));
  }

  bool on_number_part(bj::string_view part, bj::error_code&) { return append(part); }
  bool on_int64(std::int64_t number, bj::string_view, bj::error_code&) {
    text_.clear();
    return add(value(number));
  }
  bool on_uint64(std::uint64_t, bj::string_view, bj::error_code& error) { return refuse(error, kTooLarge); }
  bool on_double(double number, bj::string_view last, bj::error_code& error) {
    append(last);
    const std::string digits = std::exchange(text_, {});
    if (digits.find_first_of(".eE") == std::string::npos) return refuse(error, kTooLarge);
    if (!floats_) return refuse(error, "a number is not an integer");
    if (!std::isfinite(number)) return refuse(error, "a number is too large");
    return add(value(number));
  }

  bool on_bool(bool truth, bj::error_code&) { return add(value(truth)); }
  bool on_null(bj::error_code&) { return add(value(nullptr)); }
  bool on_comment_part(bj::string_view, bj::error_code&) { return true; }
  bool on_comment(bj::string_view, bj::error_code&) { return true; }

 private:
  static constexpr const char* kTooLarge = "an integer does not fit 64 bits with a sign";

  /// A container that is being filled, and the name of the member whose value comes next.
  struct Open {
    value container;
    std::string key;
  };

  bool append(bj::string_view part) {
    text_.append(part.data(), part.size());
    return true;
  }

  bool open(value container) {
    open_.push_back({std::move(container), {}});
    return true;
  }

  bool close() {
    value whole = std::move(open_.back().container);
    open_.pop_back();
    return add(std::move(whole));
  }

  bool add(value item) {
    if (open_.empty()) {
      root_ = std::move(item);
    } else if (Open& parent = open_.back(); parent.container.is_array()) {
      parent.container.get_array().push_back(std::move(item));
    } else {
      parent.container.get_object().emplace(parent.key, std::move(item));
    }
    return true;
  }

  bool refuse(bj::error_code& error, std::string why) {
    complaint_ = std::move(why);
    error = bj::error::not_exact;  // any error stops the parser; the complaint is what gets told
    return false;
  }

  bool floats_;
  std::string text_;  // what came so far of a string, a name or a number
  std::vector<Open> open_;
  value root_;
  std::string complaint_;
};

}  // namespace

Result<value> parse(std::string_view text, const Limits& limits, bool floats) {
  if (text.size() > limits.most_bytes)
    return fail(Errc::protocol, fmt::format("JSON of {} bytes is longer than the {} allowed", text.size(), limits.most_bytes));

  bj::parse_options options;
  options.max_depth = limits.most_depth;
  bj::basic_parser<StrictHandler> parser(options, floats);
  bj::error_code error;
  const std::size_t consumed = parser.write_some(false, text.data(), text.size(), error);
  if (error) {
    const std::string& complaint = parser.handler().complaint();
    return fail(Errc::protocol, fmt::format("JSON, byte {}: {}", consumed, complaint.empty() ? error.message() : complaint));
  }
  if (consumed != text.size()) return fail(Errc::protocol, fmt::format("JSON, byte {}: more follows after its end", consumed));
  return parser.handler().take();
}

}  // namespace berth::json
