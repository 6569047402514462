/** Writes a Graph as TensorFlow's saved_model.pb, with the protobuf classes that tfjs-node ships. */
// @ts-expect-error the package has no types for this file; `Protos` below says what we use.
import shippedProtos from '@tensorflow/tfjs-node-gpu/dist/proto/api_pb.js';
import { dtypeNumbers } from './dtype.ts';
import type { Attr, Graph, Node, Shape } from './graph.ts';

type Message = { serializeBinary(): Uint8Array };
type AttrValue = Message & {
  setType(value: number): void;
  setI(value: number): void;
  setF(value: number): void;
  setB(value: boolean): void;
  setS(value: Uint8Array): void;
  setShape(value: Message): void;
  setList(value: Message): void;
  setTensor(value: Message): void;
};
type Protos = {
  AttrValue: (new () => AttrValue) & {
    ListValue: new () => Message & { setIList(value: readonly number[]): void };
  };
  Tensor: new () => Message & {
    setDtype(value: number): void;
    setTensorShape(value: Message): void;
    setTensorContent(value: Uint8Array): void;
  };
  TensorShape: (new () => Message & { setDimList(value: Message[]): void }) & {
    Dim: new () => Message & { setSize(value: number): void };
  };
  NodeDef: new () => Message & {
    setName(value: string): void;
    setOp(value: string): void;
    setInputList(value: string[]): void;
    getAttrMap(): { set(key: string, value: AttrValue): void };
  };
  VersionDef: new () => Message & { setProducer(value: number): void };
  GraphDef: new () => Message & { setNodeList(value: Message[]): void; setVersions(value: Message): void };
  MetaGraphDef: (new () => Message & {
    setMetaInfoDef(value: Message): void;
    setGraphDef(value: Message): void;
  }) & {
    MetaInfoDef: new () => Message & { setTagsList(value: string[]): void };
  };
  SavedModel: new () => Message & {
    setSavedModelSchemaVersion(value: number): void;
    setMetaGraphsList(value: Message[]): void;
  };
};

/** The tag under which the graph is stored. */
export const savedModelTag = 'serve';
/** Version of the op definitions that the graph is written for (TF_GRAPH_DEF_VERSION of TensorFlow 2.21 is newer). */
const graphDefVersion = 1766;

/** Bytes of saved_model.pb. The graph needs no variables/ folder: variables are filled through assign nodes. */
export function savedModelBytes(graph: Graph): Uint8Array {
  const protos = shippedProtos as Protos;
  const versions = new protos.VersionDef();
  versions.setProducer(graphDefVersion);
  const graphDef = new protos.GraphDef();
  graphDef.setNodeList(graph.nodes.map((node) => nodeDef(protos, node)));
  graphDef.setVersions(versions);
  const info = new protos.MetaGraphDef.MetaInfoDef();
  info.setTagsList([savedModelTag]);
  const metaGraph = new protos.MetaGraphDef();
  metaGraph.setMetaInfoDef(info);
  metaGraph.setGraphDef(graphDef);
  const model = new protos.SavedModel();
  model.setSavedModelSchemaVersion(1);
  model.setMetaGraphsList([metaGraph]);
  return model.serializeBinary();
}

function nodeDef(protos: Protos, node: Node): Message {
  const def = new protos.NodeDef();
  def.setName(node.name);
  def.setOp(node.op);
  def.setInputList([
    ...node.inputs.map((input) =>
      input.index === 0 ? input.node.name : `${input.node.name}:${input.index}`,
    ),
    ...node.controls.map((control) => `^${control.name}`),
  ]);
  const attrs = def.getAttrMap();
  for (const [key, attr] of Object.entries(node.attrs)) attrs.set(key, attrValue(protos, attr));
  return def;
}

function attrValue(protos: Protos, attr: Attr): AttrValue {
  const value = new protos.AttrValue();
  if ('type' in attr) value.setType(dtypeNumbers[attr.type]);
  else if ('int' in attr) value.setI(attr.int);
  else if ('float' in attr) value.setF(attr.float);
  else if ('bool' in attr) value.setB(attr.bool);
  else if ('string' in attr) value.setS(Buffer.from(attr.string));
  else if ('shape' in attr) value.setShape(shapeProto(protos, attr.shape));
  else if ('ints' in attr) {
    const list = new protos.AttrValue.ListValue();
    list.setIList(attr.ints);
    value.setList(list);
  } else {
    const tensor = new protos.Tensor();
    tensor.setDtype(dtypeNumbers[attr.tensor.dtype]);
    tensor.setTensorShape(shapeProto(protos, attr.tensor.shape));
    tensor.setTensorContent(attr.tensor.bytes);
    value.setTensor(tensor);
  }
  return value;
}

function shapeProto(protos: Protos, shape: Shape): Message {
  const proto = new protos.TensorShape();
  proto.setDimList(
    shape.map((dim) => {
      const dimProto = new protos.TensorShape.Dim();
      dimProto.setSize(typeof dim === 'string' ? -1 : dim);
      return dimProto;
    }),
  );
  return proto;
}
