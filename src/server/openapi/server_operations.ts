import { EXAMPLE_MODEL } from "./examples.ts";
import type { Operation } from "./operation.ts";

/** What is served, and how the server is. */
export const SERVER_OPERATIONS: readonly Operation[] = [
  {
    id: "listModels",
    method: "get",
    path: "/v1/models",
    tag: "Models",
    summary: "Lists the served models, the default one first.",
    answers: { 200: { description: "The models.", json: "ModelList" } },
    refusals: ["model_loading", "device_lost"],
  },
  {
    id: "showModel",
    method: "get",
    path: "/v1/models/{id}",
    tag: "Models",
    summary: "Tells what requests may ask of a model.",
    parameters: [{
      name: "id",
      in: "path",
      required: true,
      description: "Id of a model.",
      schema: { type: "string" },
    }],
    answers: { 200: { description: "The model.", json: "Model" } },
    refusals: ["model_not_found", "model_loading", "device_lost"],
    examples: { model: { summary: "A model", parameters: { id: EXAMPLE_MODEL } } },
  },
  {
    id: "showPlayground",
    method: "get",
    path: "/",
    tag: "Server",
    summary: "A page to try the models on, complete in itself.",
    isPublic: true,
    answers: { 200: { description: "The page.", text: "text/html; charset=utf-8" } },
    refusals: [],
  },
  {
    id: "showHealth",
    method: "get",
    path: "/health",
    tag: "Server",
    summary: "Answers as long as the process serves HTTP.",
    isPublic: true,
    answers: { 200: { description: "It does.", json: "Health" } },
    refusals: [],
  },
  {
    id: "showReadiness",
    method: "get",
    path: "/ready",
    tag: "Server",
    summary: "Tells whether new work is taken.",
    isPublic: true,
    answers: {
      200: { description: "It is.", json: "Ready" },
      503: { description: "It is not, now.", json: "NotReady" },
    },
    refusals: [],
  },
  {
    id: "showMetrics",
    method: "get",
    path: "/metrics",
    tag: "Server",
    summary: "Counters, gauges and histograms for Prometheus.",
    description: "Needs no key where the operator made it public.",
    answers: {
      200: {
        description: "Prometheus' text format.",
        text: "text/plain; version=0.0.4; charset=utf-8",
      },
    },
    refusals: [],
  },
  {
    id: "describeInterface",
    method: "get",
    path: "/openapi.json",
    tag: "Server",
    summary: "This document.",
    answers: { 200: { description: "An OpenAPI 3.1 document.", json: "Document" } },
    refusals: [],
  },
];
