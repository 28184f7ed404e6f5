#pragma once
// What nearly every test needs, compiled once; tests are compiled without optimisation, which takes most of their time.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/pch.h"
