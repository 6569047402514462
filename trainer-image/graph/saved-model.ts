/** Writes a Graph as TensorFlow's saved_model.pb. The numbers of the fields are those of TensorFlow's .proto files. */
import { bytes, float, integer, message, string } from '../protobuf.ts';
import { dtypeNumbers } from './dtype.ts';
import type { Attr, Graph, Node, Shape } from './graph.ts';

/** The tag under which the graph is stored. */
export const savedModelTag = 'serve';
/** Version of the op definitions that the graph is written for (TF_GRAPH_DEF_VERSION of TensorFlow 2.21 is newer). */
const graphDefVersion = 1766;

/** Bytes of saved_model.pb. The graph needs no variables/ folder: variables are filled through assign nodes. */
export function savedModelBytes(graph: Graph): Uint8Array {
  const versions = bytes(4, integer(1, graphDefVersion));
  const graphDef = message(...graph.nodes.map((node) => bytes(1, nodeDef(node))), versions);
  const metaInfo = bytes(1, string(4, savedModelTag));
  const schemaVersion = integer(1, 1);
  return message(schemaVersion, bytes(2, message(metaInfo, bytes(2, graphDef))));
}

function nodeDef({ name, op, inputs, controls, attrs }: Node): Uint8Array {
  return message(
    string(1, name),
    string(2, op),
    ...inputs.map(({ node, index }) => string(3, index === 0 ? node.name : `${node.name}:${index}`)),
    ...controls.map((control) => string(3, `^${control.name}`)),
    ...Object.entries(attrs).map(([key, attr]) =>
      bytes(5, message(string(1, key), bytes(2, attrValue(attr)))),
    ),
  );
}

function attrValue(attr: Attr): Uint8Array {
  if ('string' in attr) return string(2, attr.string);
  if ('int' in attr) return integer(3, attr.int);
  if ('float' in attr) return float(4, attr.float);
  if ('bool' in attr) return integer(5, Number(attr.bool));
  if ('type' in attr) return integer(6, dtypeNumbers[attr.type]);
  if ('shape' in attr) return bytes(7, shapeProto(attr.shape));
  const { dtype, shape, bytes: content } = attr.tensor;
  const tensor = message(integer(1, dtypeNumbers[dtype]), bytes(2, shapeProto(shape)), bytes(4, content));
  return bytes(8, tensor);
}

function shapeProto(shape: Shape): Uint8Array {
  return message(...shape.map((dim) => bytes(2, integer(1, typeof dim === 'string' ? -1 : dim))));
}
