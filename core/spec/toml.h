#pragma once

// toml++, as all of berth includes it. It asserts that a name begins as one should, and then says properly where it does not: what stands in a
// file must not end a program that was built without NDEBUG.
#define TOML_ASSERT(expression) static_assert(true)
#include <toml++/toml.h>
